"""A plugin whose streams are lines of JSON instead of server-sent events."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.responses import Response

from ovms_core.plugin import APIError, Call, Endpoint, Formatter, hookimpl


class JsonLines(Formatter):
    stream_media_type = "application/x-ndjson"
    keep_alive = b"\n"

    async def unary(self, call: Call[Any], events: AsyncIterator[Any]) -> Response:
        return await call.endpoint.unary(call, events)

    async def stream(self, call: Call[Any], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
        async for event in events:
            yield msgspec.json.encode(event) + b"\n"

    def error(self, call: Call[Any], error: APIError) -> bytes:
        return error.document() + b"\n"


@hookimpl
def ovms_formatter(endpoint: Endpoint[Any]) -> Formatter | None:
    return JsonLines() if endpoint.path == "/shout" else None
