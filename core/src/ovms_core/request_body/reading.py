"""Reads the bodies of requests: JSON, within the server's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request

from ovms_core.errors import APIError
from ovms_core.off_loop import off_loop
from ovms_core.request_body.body import LARGE, B, decode_body
from ovms_core.request_body.waiting import while_client_waits

if TYPE_CHECKING:
    from ovms_core.settings import Settings


def received_bytes(request: Request) -> int:
    """The bytes of the body that have come."""
    body = request.scope.get("ovms.body")
    return 0 if body is None else body.size


def wants_no_unknown_fields(request: Request) -> bool:
    """Whether the client or the server wants a request with unknown fields to be refused."""
    headers = request.scope.get("ovms.headers") or dict(request.scope["headers"])
    strict: bytes | None = headers.get(b"x-strict")
    if strict is not None and strict.strip().lower() in (b"1", b"true", b"yes"):
        return True
    settings: Settings = request.app.server.settings
    return settings.unknown_fields == "reject"


async def read_json(request: Request, body: type[B]) -> tuple[B, list[str]]:
    """The JSON body of `request`, with the paths of the fields that have no effect; large ones are parsed off the loop.

    Raises `APIError` 415 if it says that it is something else, 413 or 408 when it breaks the server's limits, 400
    with the path of the first field at fault, and 504 if that takes longer than ``request_timeout``.
    """
    require_json(request)
    raw = await read_body(request)
    if len(raw) <= LARGE:
        return decode_body(raw, body)
    settings: Settings = request.app.server.settings
    return await while_client_waits(off_loop(decode_body, raw, body), request.receive, settings.request_timeout)


async def read_body(request: Request) -> bytes:
    """The whole body. Raises `APIError` 413 or 408 when it breaks the server's limits."""
    chunks: list[bytes] = []
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            return b"".join((*chunks, body)) if chunks else body
        chunks.append(body)


def require_json(request: Request) -> None:
    """Raise `APIError` 415 unless the request says that its body is plain JSON, or says nothing."""
    headers = request.scope.get("ovms.headers") or dict(request.scope["headers"])
    given: bytes = headers.get(b"content-type", b"application/json")
    if given == b"application/json":
        return
    kind = given.decode("latin-1").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise APIError(415, f"Content-Type must be application/json, not '{kind[:80]}'.", code="unsupported_media_type")
