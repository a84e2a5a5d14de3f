"""Answers to HTTP/1.0 clients, who know no chunks: an answer without a length ends with its connection (RFC 9112)."""

from __future__ import annotations

from typing import Any

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_WITHOUT_BODY = (204, 304)


class Unchunked:
    """`app`, for one request of HTTP/1.0, which uvicorn would answer in chunks and then always close."""

    def __init__(self, app: Any, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle
        self._has_length = True
        cycle.keep_alive = _asks_to_keep_alive(cycle)
        cycle.waiting_for_100_continue = False  # such a client would take it for the answer (RFC 9110, 10.1.1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_unchunked(message: Message) -> None:
            await send(self._started(message) if message["type"] == "http.response.start" else self._counted(message))

        await self._app(scope, receive, send_unchunked)

    def _started(self, message: Message) -> Message:
        headers = [(name, value) for name, value in message.get("headers", ()) if name != b"transfer-encoding"]
        bodiless = self._cycle.scope["method"] == "HEAD" or message["status"] in _WITHOUT_BODY
        self._has_length = bodiless or any(name == b"content-length" for name, _ in headers)
        if not self._has_length:
            self._cycle.keep_alive = self._cycle.chunked_encoding = False
        if self._cycle.keep_alive and not any(name == b"connection" for name, _ in headers):
            headers.append((b"connection", b"keep-alive"))
        return {**message, "headers": headers}

    def _counted(self, message: Message) -> Message:
        if not self._has_length:
            self._cycle.expected_content_length = len(message.get("body", b""))
        return message


def _asks_to_keep_alive(cycle: RequestResponseCycle) -> bool:
    given = b",".join(value for name, value in cycle.scope["headers"] if name == b"connection")
    return b"keep-alive" in (token.strip().lower() for token in given.split(b","))
