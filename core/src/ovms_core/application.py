"""The application: an ASGI stack that is made once and then stays as it is, and what it is made of."""

from __future__ import annotations

import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from ovms_core.background import BackgroundTasks
from ovms_core.errors import PluginError

if TYPE_CHECKING:
    from ovms_core.http.admission import Admission
    from ovms_core.http.routing import RouteTable
    from ovms_core.metrics import Metrics
    from ovms_core.models.lifecycle import Lifecycle
    from ovms_core.models.registry import Models
    from ovms_core.plugin_report import PluginReport
    from ovms_core.settings import Settings

AppMiddleware = Callable[[ASGIApp], ASGIApp]
"""ASGI middleware: a function that takes the inner application and returns the outer one."""

_HOOKS = {
    **dict.fromkeys(("add_route", "route", "routes", "router"), "ovms_register_routes"),
    **dict.fromkeys(
        ("add_websocket_route", "websocket_route", "websocket"), "ovms_register_routes, which returns a WebSocketRoute"
    ),
    **dict.fromkeys(("mount", "include_router"), "ovms_register_routes, which returns a Mount"),
    **dict.fromkeys(("add_middleware", "middleware", "user_middleware"), "ovms_wrap_app or ovms_wrap_server"),
    **dict.fromkeys(("add_exception_handler", "exception_handler"), "ovms_wrap_app"),
    **dict.fromkeys(("add_event_handler", "on_event"), "ovms_lifespan"),
}
"""What other frameworks let one add to an application, and the hook that does it here."""


@dataclass(frozen=True, slots=True)
class Server:
    """What one application is made of: ``request.app.server`` in a handler, ``app.server`` elsewhere.

    Plugins may read `settings`, `models`, `plugins` and `routes`. The rest is internal and can change.
    """

    settings: Settings
    models: Models
    plugins: list[PluginReport]
    """Every plugin, with its state."""
    routes: RouteTable
    """Every route: iterate over it."""
    lifecycle: Lifecycle
    admission: Admission
    metrics: Metrics
    openapi: Mapping[str, Any]
    background: BackgroundTasks = field(default_factory=BackgroundTasks)
    created: int = field(default_factory=lambda: int(time.time()))


class Application:
    """The server as an ASGI application. Plugins provide its contents; nothing can be added later.

    `server` is all that it is made of. `state` belongs to the plugins, for what they open in ``ovms_lifespan``.
    """

    def __init__(
        self, server: Server, stack: ASGIApp, life: Callable[[Application], AbstractAsyncContextManager[None]]
    ) -> None:
        self.server = server
        self.state = State()
        self._stack = stack
        self._life = life

    def supervise(self, function: Callable[[], Awaitable[Any]], *, name: str) -> None:
        """Run the async `function` in the background while the server runs. For ``ovms_lifespan``.

        If it raises, that is logged and it is started again: after 1 s, then 2 s and so on, at most a minute. At the
        end it is cancelled, before what plugins have open is closed. ``ovms_task_restarts_total`` in ``GET /metrics``
        counts the failures by `name`. Raises `TypeError` for another function, `ValueError` for a name that is taken.

        Example::

            app.supervise(partial(refresh, app), name="notes: refresh")
        """
        self.server.background.start(function, name)

    def lifespan(self) -> AbstractAsyncContextManager[None]:
        """Open what the plugins need and start the models; stop and close all of it on exit."""
        return self._life(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._stack(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        stage = "startup"
        await receive()
        try:
            async with self.lifespan():
                await send({"type": "lifespan.startup.complete"})
                stage = "shutdown"
                await receive()
        except BaseException as error:
            message = str(error) if isinstance(error, PluginError) else traceback.format_exc()
            await send({"type": f"lifespan.{stage}.failed", "message": message})
            raise
        await send({"type": "lifespan.shutdown.complete"})

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            hint = f": use a plugin's hook {_HOOKS[name]}" if name in _HOOKS else ""
            raise AttributeError(f"an ovms application has no '{name}'{hint}")
