"""What the endpoint and the engine say to each other."""

from ovms_core.plugin import Event, Request


class Identify(Request, tag="identify"):
    """Which language is each text in?"""

    texts: list[str]


class Identified(Event, tag="identified"):
    """The language of each text, in their order."""

    languages: list[str]
