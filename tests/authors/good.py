"""A plugin without a mistake: it must serve whatever is installed beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from ovms_core.plugin import Body, Call, Endpoint, Settings, hookimpl


class GoodBody(Body):
    text: str
    stream: bool = False


class Good(Endpoint[GoodBody]):
    """Say it again."""

    path = "/good"
    body = GoodBody
    streams = True

    async def execute(self, call: Call[GoodBody]) -> AsyncIterator[str]:
        yield call.body.text

    def to_json(self, call: Call[GoodBody], events: Sequence[str]) -> object:
        return {"text": "".join(events)}


@hookimpl
def ovms_register_endpoints(settings: Settings) -> list[Good]:
    """The one endpoint."""
    return [Good()]
