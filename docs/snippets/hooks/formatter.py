"""A plugin that answers in plain text instead of JSON."""

from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import PlainTextResponse, Response

from ovms_core.plugin import Call, Endpoint, Formatter, hookimpl


class PlainText(Formatter):
    async def unary(self, call: Call[Any], events: AsyncIterator[Any]) -> Response:
        return PlainTextResponse(" ".join([event async for event in events]))

    async def stream(self, call: Call[Any], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
        async for event in events:
            yield f"data: {event}\n\n".encode()


@hookimpl
def ovms_formatter(endpoint: Endpoint[Any]) -> Formatter | None:
    return PlainText() if endpoint.path == "/shout" else None
