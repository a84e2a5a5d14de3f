"""WebSockets on the same gate as requests: their keys, their origins, and how they are refused and closed."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ovms_core.errors import APIError
from ovms_core.http.headers import raw_headers

KEY_PROTOCOL: Final = "openai-insecure-api-key."
"""Before a key among the subprotocols that a client offers: browsers can send no other header (OpenAI's way)."""

_LONGEST_REASON: Final = 123
"""Bytes that the reason of a close frame may have (RFC 6455, section 5.5)."""

_GOING_AWAY, _POLICY, _TOO_LARGE, _FAULT, _TRY_LATER = 1001, 1008, 1009, 1011, 1013
_CODES: Final = {413: _TOO_LARGE, 429: _TRY_LATER, 503: _TRY_LATER}

STARTS: Final = frozenset(("http.response.start", "websocket.accept", "websocket.http.response.start"))
"""The messages with which an answer begins."""


def is_handshake(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request with these headers opens a WebSocket of the version that there is (RFC 6455, section 4.1)."""
    try:
        key = base64.b64decode(headers.get(b"sec-websocket-key", b""), validate=True)
    except ValueError:
        return False
    return len(key) == 16 and headers.get(b"sec-websocket-version") == b"13"


def take_key(scope: Scope) -> None:
    """Make a key among the subprotocols the bearer token that it stands for; what is inside does not see it there."""
    offered: Sequence[str] = scope.get("subprotocols", ())
    found = next((each for each in offered if each.startswith(KEY_PROTOCOL)), None)
    if found is None:
        return
    scope["subprotocols"] = [each for each in offered if not each.startswith(KEY_PROTOCOL)]
    name = b"sec-websocket-protocol"
    headers = [header for header in scope["headers"] if header[0] != name]
    if scope["subprotocols"]:
        headers.append((name, ", ".join(scope["subprotocols"]).encode("latin-1")))
    if b"authorization" not in scope["ovms.headers"]:
        headers.append((b"authorization", b"Bearer " + found.removeprefix(KEY_PROTOCOL).encode("latin-1")))
    scope["headers"], scope["ovms.headers"] = headers, dict(headers)


def check_origin(scope: Scope, allowed: Sequence[str]) -> None:
    """Raise `APIError` 403 for a page of another origin that may not call: browsers ask for no permission first."""
    origin: str = scope["ovms.headers"].get(b"origin", b"").decode("latin-1")
    host: str = scope["ovms.headers"].get(b"host", b"").decode("latin-1")
    if not origin or "*" in allowed or origin in allowed or _host(origin) == host.lower():
        return
    message = (
        f"Pages of {origin[:200]} may not connect to this server: add this origin to the server's setting cors_origins."
    )
    raise APIError(403, message, code="origin_refused")


def _host(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def as_response(error: APIError, kind: str = "http") -> Iterable[Message]:
    """The ASGI messages of `error` as a whole response; `kind` is ``websocket.http`` to refuse a WebSocket."""
    body = error.document()
    headers = raw_headers(error.headers)
    headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    yield {"type": f"{kind}.response.start", "status": error.status, "headers": headers}
    yield {"type": f"{kind}.response.body", "body": body}


async def end_socket(error: APIError, scope: Scope, send: Send) -> None:
    """Refuse a WebSocket with `error`, as a response; close one that was accepted with the code that fits."""
    with contextlib.suppress(OSError):  # its client has left
        for message in _ending(error, scope):
            await send(message)


def _ending(error: APIError, scope: Scope) -> Iterable[Message]:
    if scope.get("ovms.closed"):
        return ()
    if not scope.get("ovms.started") and "websocket.http.response" in (scope.get("extensions") or {}):
        return as_response(error, "websocket.http")
    return [{"type": "websocket.close", "code": _code(error), "reason": _reason(error)}]


def _code(error: APIError) -> int:
    """The status of a close frame (RFC 6455, section 7.4, and the registry of IANA)."""
    if error.code == "draining":
        return _GOING_AWAY
    return _CODES.get(error.status, _POLICY if error.status < 500 else _FAULT)


def _reason(error: APIError) -> str:
    return error.message.encode("utf-8", "replace")[:_LONGEST_REASON].decode("utf-8", "ignore")


async def serve_socket(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run `app` for a WebSocket: it is refused with a response if `app` closes it before it accepts.

    One that is still open when `app` returns is closed. Raises `RuntimeError` if it was neither accepted nor refused.
    """

    async def send_or_refuse(message: Message) -> None:
        if message["type"] == "websocket.close" and not scope.get("ovms.started"):
            refusal = APIError(403, message.get("reason") or "The server refuses this WebSocket.", code="refused")
            await end_socket(refusal, scope, send)
        else:
            await send(message)

    await app(scope, receive, send_or_refuse)
    if not scope.get("ovms.started"):
        raise RuntimeError("an application returned before it accepted or refused a WebSocket")
    if not scope.get("ovms.closed"):
        with contextlib.suppress(OSError):  # its client has left
            await send({"type": "websocket.close", "code": 1000, "reason": ""})


def noting(scope: Scope, send: Send) -> Send:
    """`send`, which notes in ``scope["ovms.closed"]`` that a WebSocket is closed, or refused."""

    def send_noted(message: Message) -> Awaitable[None]:
        if message["type"] in ("websocket.close", "websocket.http.response.body"):
            scope["ovms.closed"] = not message.get("more_body", False)
        return send(message)

    return send_noted
