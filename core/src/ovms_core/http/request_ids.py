"""Every request has an id, and every response headers that can be sent: the outermost layer."""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ovms_core.diagnostics.request_id import current_request_id
from ovms_core.http.headers import sendable
from ovms_core.http.sockets import STARTS, noting

_SANE_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


def request_id(sent: bytes | None) -> bytes:
    """The client's own request id if it sent a sane one, else a new one."""
    if sent is not None and _SANE_ID.fullmatch(sent):
        return sent
    return b"%032x" % random.getrandbits(128)


class RequestIdMiddleware:
    """Gives every request an id, which its response carries: the outermost layer.

    What is inside finds the request's headers in ``scope["ovms.headers"]``, as a dictionary, and
    ``scope["ovms.started"]`` once the response has started.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = scope["ovms.headers"] = dict(scope["headers"])
        id = request_id(headers.get(b"x-request-id"))
        text = scope.setdefault("state", {})["request_id"] = id.decode()
        current_request_id.set(text)
        if scope["type"] == "websocket":
            send = noting(scope, send)

        def send_with_id(message: Message) -> Awaitable[None]:
            if message["type"] in STARTS:
                scope["ovms.started"] = True
                message["headers"] = [*sendable(message.get("headers", ())), (b"x-request-id", id)]
            return send(message)

        await self.app(scope, receive, send_with_id)
