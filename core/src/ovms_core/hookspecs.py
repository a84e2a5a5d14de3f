"""The hooks of pluggy project ``ovms``, and nothing else.

Each is synchronous, free of side effects and called once, at startup. A hook says who does a thing;
the object that it returns does it. Two incompatible answers stop the startup with an error that names both.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import typer
    from starlette.applications import Starlette

    from ovms_core.app import AppMiddleware
    from ovms_core.endpoint import Endpoint, Executor, Formatter, Interceptor, Parser
    from ovms_core.models.source import Source
    from ovms_core.observe import Observer
    from ovms_core.settings import Settings
    from ovms_core.task import Task

PROJECT = "ovms"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def ovms_register_tasks() -> Iterable[Task]:
    """The tasks that the plugin's engines can do. The same name twice is an error."""
    return ()


@hookspec
def ovms_register_endpoints(settings: Settings) -> Iterable[Endpoint[Any]]:
    """The plugin's endpoints. The same method and path twice is an error."""
    return ()


@hookspec
def ovms_register_sources() -> Iterable[Source]:
    """Where models can come from. The same scheme twice is an error."""
    return ()


@hookspec
def ovms_parser(endpoint: Endpoint[Any]) -> Parser | None:
    """A parser to use instead of the endpoint's own. Two are an error."""


@hookspec
def ovms_executor(endpoint: Endpoint[Any]) -> Executor | None:
    """An executor to use instead of the endpoint's own. Two are an error."""


@hookspec
def ovms_formatter(endpoint: Endpoint[Any]) -> Formatter | None:
    """A formatter to use instead of the endpoint's own. Two are an error."""


@hookspec
def ovms_wrap_execution(endpoint: Endpoint[Any], settings: Settings) -> Interceptor | None:
    """An interceptor around the endpoint's execution. They nest, sorted by plugin name, first outermost."""


@hookspec
def ovms_wrap_app(settings: Settings) -> AppMiddleware | None:
    """ASGI middleware around the whole application. They nest, sorted by plugin name, first outermost."""


@hookspec
def ovms_observe(settings: Settings) -> Observer | None:
    """An observer of every call. One that raises is logged, never felt."""


@hookspec
def ovms_lifespan(app: Starlette) -> AbstractAsyncContextManager[None] | None:
    """What must be open while the server runs. If it fails to open, the plugin's endpoints answer 503."""


@hookspec
def ovms_register_commands(cli: typer.Typer) -> None:
    """Add subcommands to ``ovms``."""
