"""Every error in one shape."""

from __future__ import annotations

import asyncio
import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from ovms_core.errors import APIError
from ovms_core.http.failures import log_failure
from ovms_core.http.sockets import as_response, end_socket

log = logging.getLogger("ovms.http")

_CLOSE = {"connection": "close"}


class ErrorMiddleware:
    """Turns every exception into the one error shape; inside CORS, so that browsers may read it.

    An error after the response has started can only end the connection. A WebSocket that was accepted is closed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except (ClientDisconnect, WebSocketDisconnect):
            log.debug("request %s: the client left before it was over", scope["state"]["request_id"])
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # what a plugin calls may end with SystemExit, or as Rust's panics do
            stopped = isinstance(error, asyncio.CancelledError) and cut_short()
            told = stopping() if stopped else _told(error, scope)
            if scope["type"] == "websocket":
                await end_socket(told, scope, send)
            elif not scope.get("ovms.started"):
                await send_error(told, send)
            elif not stopped:
                raise


def _told(error: BaseException, scope: Scope) -> APIError:
    if isinstance(error, APIError):
        return error
    request_id = scope["state"]["request_id"]
    if scope.get("ovms.logged") is not error:  # one that was raised again, for there are two of these around a request
        scope["ovms.logged"] = error
        log_failure(request_id, _endpoint(scope), error)
    return unexpected(request_id)


def _endpoint(scope: Scope) -> str:
    """Which endpoint or route a request was for, as its author knows it; empty for none."""
    return scope["ovms.route"].name if "ovms.route" in scope else ""


def cut_short() -> bool:
    """Whether the current task was cancelled; if not, a `CancelledError` in it is a fault of what it ran."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def stopping() -> APIError:
    """What the client of a cancelled request is told: that only happens at the end of ``drain_timeout``."""
    return APIError(503, "The server is shutting down.", code="draining", retry_after=5, headers=_CLOSE)


def unexpected(id: str) -> APIError:
    """The error that a client sees for a fault of ours; the log has the details under the same id."""
    message = f"The server failed on this request. If you report this, include the request id {id}."
    return APIError(500, message, code="internal_error")


async def send_error(error: APIError, send: Send) -> None:
    """Send `error` as a whole response."""
    for message in as_response(error):
        await send(message)
