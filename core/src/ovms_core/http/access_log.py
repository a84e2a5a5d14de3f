"""The access log: a line for every request."""

from __future__ import annotations

import logging
import time

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ovms_core.http.routing import SOCKET
from ovms_core.http.sockets import STARTS

log = logging.getLogger("ovms.access")

_CLIENT_LEFT = 499
_SWITCHED = 101


class AccessLog:
    """Logs every request as JSON when it is over, those that were refused too; never a body, a key or a query.

    `user` is the name of the API key that was used, or what the authenticator said. A client that left before its
    answer began has the status 499, a WebSocket that was accepted 101.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        path = scope["path"]  # as it was sent
        status = _CLIENT_LEFT

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] in STARTS:
                status = message.get("status", _SWITCHED)
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            log.info("%s", _line(scope, path, status, time.perf_counter() - started))


def _line(scope: Scope, path: str, status: int, seconds: float) -> str:
    state = scope["state"]
    client = scope.get("client")
    return msgspec.json.encode(
        {
            "id": state["request_id"],
            "method": scope.get("method", SOCKET),
            "path": path,
            "status": status,
            "seconds": round(seconds, 6),
            "user": state.get("user"),
            "client": client[0] if client else None,
        }
    ).decode()
