"""The hooks of pluggy project ``ovms``, and nothing else.

Each is synchronous, free of side effects and called once, at startup. A hook says who does a thing;
the object that it returns does it. Two incompatible answers stop the startup with an error that names both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import pluggy

if TYPE_CHECKING:
    import typer
    from prometheus_client.registry import Collector
    from pydantic import BaseModel

    from ovms_core.application import Application, AppMiddleware
    from ovms_core.calls.endpoint import Endpoint, Executor, Formatter, Interceptor, Parser
    from ovms_core.calls.observe import Observer
    from ovms_core.http.auth import Authenticator
    from ovms_core.models.source import Source
    from ovms_core.routes.route import AnyRoute
    from ovms_core.settings import Settings
    from ovms_core.task import Task

PROJECT = "ovms"
_NESTS = f"{PROJECT}_nests"

Place = Literal["outside", "inside", "anywhere"]
Hook = TypeVar("Hook", bound=Callable[..., Any])

hookspec = pluggy.HookspecMarker(PROJECT)
_marked = pluggy.HookimplMarker(PROJECT)


@overload
def hookimpl(function: Hook, /) -> Hook: ...
@overload
def hookimpl(*, nests: Place) -> Callable[[Hook], Hook]: ...
def hookimpl(function: Any = None, /, *, nests: Place | None = None) -> Any:
    """Marks a function as the implementation of the hook of its name.

    For a hook that wraps, `nests` says where it belongs among those of other plugins. Use ``"outside"`` for guards,
    so that nothing answers before they have checked, ``"inside"`` for what may answer by itself, such as a cache,
    and ``"anywhere"`` for what only observes.

    Example::

        @hookimpl(nests="outside")
        def ovms_wrap_execution(endpoint: Endpoint[Any], settings: Settings) -> Interceptor | None:
            return guard
    """

    def mark(function: Hook) -> Hook:
        setattr(function, _NESTS, nests)
        return _marked(function)

    return mark if function is None else mark(function)


def place_of(implementation: Callable[..., Any]) -> Place | None:
    """What `hookimpl` was told about where it nests."""
    place: Place | None = getattr(implementation, _NESTS, None)
    return place


@hookspec
def ovms_settings() -> type[BaseModel] | None:
    """The class of the plugin's own settings, ``plugins.NAME``. Two plugins with the same class are an error."""


@hookspec
def ovms_register_tasks() -> Iterable[Task]:
    """The tasks that the plugin's engines can do. The same name twice is an error."""
    return ()


@hookspec
def ovms_register_endpoints(settings: Settings) -> Iterable[Endpoint[Any]]:
    """The plugin's endpoints. The same method and path twice is an error."""
    return ()


@hookspec
def ovms_register_routes(settings: Settings) -> Iterable[AnyRoute]:
    """Plain routes, WebSockets, and whole applications under a path. The same method and path twice is an error."""
    return ()


@hookspec
def ovms_register_sources() -> Iterable[Source]:
    """Where models can come from. The same scheme twice is an error."""
    return ()


@hookspec
def ovms_authenticate(settings: Settings) -> Authenticator | None:
    """Tells who sent a request that has no known API key. Two are an error."""


@hookspec
def ovms_parser(endpoint: Endpoint[Any], settings: Settings) -> Parser | None:
    """A parser to use instead of the endpoint's own. Two are an error."""


@hookspec
def ovms_executor(endpoint: Endpoint[Any], settings: Settings) -> Executor | None:
    """An executor to use instead of the endpoint's own. Two are an error."""


@hookspec
def ovms_formatter(endpoint: Endpoint[Any], settings: Settings) -> Formatter | None:
    """A formatter to use instead of the endpoint's own. Two are an error."""


@hookspec
def ovms_wrap_execution(endpoint: Endpoint[Any], settings: Settings) -> Interceptor | None:
    """An interceptor around the endpoint's execution. They nest as the plugins say, or else the operator."""


@hookspec
def ovms_wrap_app(settings: Settings) -> AppMiddleware | None:
    """ASGI middleware around all routes, for requests that were let in. They nest as interceptors do."""


@hookspec
def ovms_wrap_server(settings: Settings) -> AppMiddleware | None:
    """ASGI middleware around everything: it sees every request, refused ones too. They nest as interceptors do."""


@hookspec
def ovms_observe(settings: Settings) -> Observer | None:
    """An observer of every call. If it raises, that is logged and has no other effect."""


@hookspec
def ovms_register_metrics(settings: Settings) -> Iterable[Collector]:
    """Metrics of prometheus_client for ``GET /metrics``. One whose name is taken is logged and left out."""
    return ()


@hookspec
def ovms_lifespan(app: Application) -> AbstractAsyncContextManager[None] | None:
    """Resources that are open while the server runs. If they fail to open, the plugin's endpoints answer 503."""


@hookspec
def ovms_register_commands(cli: typer.Typer) -> None:
    """Add subcommands to ``ovms``."""
