"""Plain routes, WebSockets and whole applications: a path and what answers there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

Handler = Callable[[Request], Awaitable[Response]]
"""Answers a request: an async function from Starlette's `Request` to a `Response`."""

SocketHandler = Callable[[WebSocket], Awaitable[None]]
"""Serves a WebSocket: an async function of Starlette's `WebSocket`."""


@dataclass(frozen=True, slots=True)
class Route:
    """A path with an async function that answers requests, for pages that need no model. Otherwise use `Endpoint`.

    `path` may have parameters, as Starlette writes them: ``/models/{id:path}``. With `prefixed` it answers under every
    prefix of the server (``/v3``, ``/v1``, ``/v3/v1``). Only what is `public` answers without an API key. The
    handler's docstring describes it in the API's documentation, unless it is not to be `include_in_schema`;
    `media_type` is what its answers are.

    Example::

        async def states(request: Request) -> Response:
            \"\"\"The state of every model.\"\"\"
            return JSONResponse({model.name: model.state for model in request.app.server.models})

        Route("GET", "/admin/states", states)
    """

    method: str
    path: str
    handler: Handler
    public: bool = False
    prefixed: bool = False
    include_in_schema: bool = True
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class WebSocketRoute:
    """A path where clients open WebSockets, with the async function that serves them.

    `path`, `public` and `prefixed` are as for a `Route`. The handler accepts the connection, and may close it; one that
    is still open when it returns is closed. An `APIError` that it raises before it accepts is the client's answer.

    Example::

        async def echo(websocket: WebSocket) -> None:
            await websocket.accept()
            async for text in websocket.iter_text():
                await websocket.send_text(text)

        WebSocketRoute("/echo", echo)
    """

    path: str
    handler: SocketHandler
    public: bool = False
    prefixed: bool = False


@dataclass(frozen=True, slots=True)
class Mount:
    """Hands everything below a path to another ASGI application, such as one of Starlette, FastAPI or Gradio.

    It gets every method, and WebSockets, where no other route matches, with `path` as its ``root_path``. Only one that
    is `public` answers without an API key. Its lifespan is not run: open what it needs in ``ovms_lifespan``.

    Example::

        Mount("/studio", Starlette(routes=[...]))
    """

    path: str
    app: ASGIApp
    public: bool = False


AnyRoute = Route | WebSocketRoute | Mount
"""What ``ovms_register_routes`` returns."""
