"""The smallest endpoint: it needs no model."""

from collections.abc import AsyncIterator, Sequence

from ovms_core.plugin import Body, Call, Endpoint, Settings, hookimpl


class ShoutBody(Body):
    text: str
    stream: bool = False


class Shout(Endpoint[ShoutBody]):
    """Say it louder."""

    path = "/shout"
    body = ShoutBody
    streams = True

    async def execute(self, call: Call[ShoutBody]) -> AsyncIterator[str]:
        for word in call.body.text.split():
            yield word.upper()

    def to_json(self, call: Call[ShoutBody], events: Sequence[str]) -> object:
        return {"text": " ".join(events)}


@hookimpl
def ovms_register_endpoints(settings: Settings) -> list[Shout]:
    return [Shout()]
