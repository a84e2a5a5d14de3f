"""MessagePack (https://msgpack.org) for endpoints that speak JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ovms_core.plugin import APIError, Call, Endpoint, Formatter, Parser, validate_body

MSGPACK = "application/msgpack"
JSON = "application/json"


def speaks_json(endpoint: Endpoint[Any]) -> bool:
    """Whether `endpoint` reads JSON, and in the usual way: one with a parser of its own may take forms."""
    return JSON in endpoint.accepts and type(endpoint).parse is Endpoint.parse


def parser(endpoint: Endpoint[Any]) -> Parser:
    """A parser for `endpoint` that takes MessagePack too, and notes whether the client wants it back."""

    async def parse(request: Request) -> Call[Any]:
        if _kind(request.headers.get("content-type", "")) == MSGPACK:
            call = endpoint.call(request, *validate_body(_unpacked(await request.body()), endpoint.body))
        else:
            call = await endpoint.parse(request)
        accepted = map(_kind, request.headers.get("accept", "").split(","))
        call.context[MSGPACK] = MSGPACK in accepted
        return call

    return parse


class Packing(Formatter):
    """Formats as `endpoint` does; whole answers become MessagePack where the client wants that."""

    def __init__(self, endpoint: Endpoint[Any]) -> None:
        self._endpoint = endpoint
        self.stream_media_type, self.keep_alive = endpoint.stream_media_type, endpoint.keep_alive

    async def unary(self, call: Call[Any], events: AsyncIterator[Any]) -> Response:
        response = await self._endpoint.unary(call, events)
        if call.context.get(MSGPACK) and response.media_type == JSON:
            packed = msgspec.msgpack.encode(msgspec.json.decode(response.body))
            response = Response(packed, response.status_code, media_type=MSGPACK)
        response.headers["vary"] = "accept"
        return response

    def stream(self, call: Call[Any], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
        return self._endpoint.stream(call, events)

    def stream_headers(self, call: Call[Any]) -> dict[str, str]:
        return self._endpoint.stream_headers(call)

    def error(self, call: Call[Any], error: APIError) -> bytes | None:
        return self._endpoint.error(call, error)


def _kind(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def _unpacked(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.msgpack.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"The request body is not a map in MessagePack: {error}."
        raise APIError(400, message, code="invalid_msgpack") from None
