"""Where endpoints and plain routes stand."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketState

from ovms_core.calls.endpoint import Endpoint
from ovms_core.http.routing import ANY, SOCKET
from ovms_core.routes.route import AnyRoute, Handler, Mount, SocketHandler, WebSocketRoute

PREFIXES = ("/v3", "/v1", "/v3/v1")
"""Where endpoints stand: OpenVINO Model Server's prefix, OpenAI's, and the first with a client's own ``/v1``."""


def endpoint_paths(endpoint: Endpoint[Any]) -> list[str]:
    """Every path at which `endpoint` answers, each once."""
    paths = (endpoint.path, *endpoint.also)
    prefixes = (*PREFIXES, "") if endpoint.bare else PREFIXES
    return list(dict.fromkeys(prefix + path for prefix in prefixes for path in paths))


def route_paths(route: AnyRoute) -> list[str]:
    """Every path at which `route` answers; that of ``/`` under a prefix is the prefix."""
    prefixed = not isinstance(route, Mount) and route.prefixed
    return [(prefix + route.path).rstrip("/") or "/" for prefix in (PREFIXES if prefixed else ("",))]


def route_app(route: AnyRoute) -> tuple[str, ASGIApp]:
    """The method of `route` in the table of routes, and the ASGI application that answers there."""
    if isinstance(route, Mount):
        return ANY, _below(route.path, route.app)
    if isinstance(route, WebSocketRoute):
        return SOCKET, _socket_app(route.handler)
    return route.method, as_app(route.handler)


def as_app(handler: Handler) -> ASGIApp:
    """`handler` as an ASGI application."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        response = await handler(Request(scope, receive))
        await response(scope, receive, send)

    return answer


def _socket_app(handler: SocketHandler) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        await handler(websocket)
        if websocket.application_state is WebSocketState.CONNECTING:
            raise RuntimeError("the handler of a WebSocket returned before it accepted: await websocket.accept()")

    return serve


def _below(path: str, app: ASGIApp) -> ASGIApp:
    """`app` with `path` as its root; a browser at the root itself is sent to ``path/``, so that relative links work."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == path and scope["type"] == "http":
            query = scope["query_string"].decode("latin-1")
            await RedirectResponse(f"{path}/{query and '?' + query}")(scope, receive, send)
        else:
            await app({**scope, "root_path": scope.get("root_path", "") + path}, receive, send)

    return answer
