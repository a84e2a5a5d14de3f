"""``POST /language``."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from pydantic import Field

from ovms_core.plugin import Body, Call, Endpoint
from ovms_language.messages import Identified, Identify


class LanguageBody(Body):
    """The body of ``/language``."""

    input: Annotated[list[str], Field(min_length=1, max_length=1000)]


class Language(Endpoint[LanguageBody]):
    """Which language texts are in."""

    path = "/language"
    body = LanguageBody
    task = "language"

    def execute(self, call: Call[LanguageBody]) -> AsyncIterator[Identified]:
        return call.require_model().submit(Identify(call.body.input))

    def to_json(self, call: Call[LanguageBody], events: Sequence[Identified]) -> object:
        return {"model": call.require_model().name, "languages": events[-1].languages}
