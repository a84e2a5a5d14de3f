"""Makes the application: the only place where everything meets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from ovms_core.application import Application, Server
from ovms_core.background import BackgroundTasks
from ovms_core.calls.endpoint import Endpoint
from ovms_core.calls.observe import Observers
from ovms_core.diagnostics.attribution import Owned
from ovms_core.errors import APIError, PluginError
from ovms_core.http.admission import Admission, dispatch
from ovms_core.http.auth import Keys, Owners
from ovms_core.http.cors import Cors
from ovms_core.http.errors import ErrorMiddleware
from ovms_core.http.request_ids import RequestIdMiddleware
from ovms_core.http.routing import MountedRoute, RouteConflictError, RouteTable
from ovms_core.metrics import Metrics
from ovms_core.models.lifecycle import Lifecycle
from ovms_core.models.model import Model
from ovms_core.models.registry import Models
from ovms_core.pipeline import Pipeline
from ovms_core.plugin_loading.failure import Failure
from ovms_core.plugin_loading.host import OWN, PluginHost
from ovms_core.plugin_loading.life import open_life
from ovms_core.plugin_loading.loader import load_plugins, require
from ovms_core.plugin_loading.model_names import check_model_names
from ovms_core.plugin_loading.nesting import Wrapper, app_wrappers, execution_wrappers, server_wrappers
from ovms_core.plugin_loading.offerings import Offerings, gather
from ovms_core.routes import openapi
from ovms_core.routes.mounting import endpoint_paths, route_app, route_paths
from ovms_core.routes.route import AnyRoute, Route
from ovms_core.settings import Settings
from ovms_core.workers.local import local_runners

_EXPOSED = ("x-request-id", "x-ignored-params", "x-warnings", "retry-after")
"""The response headers that pages of other origins may read."""


def create_app(settings: Settings, plugins: Sequence[object] | None = None) -> Application:
    """The server as an ASGI application.

    With `plugins`, only these are used and none is looked for. Raises `PluginError` and
    `ConfigurationError` for what must be put right before the server can start.
    """
    return assemble(load_plugins(settings.plugins, plugins), settings)


def assemble(host: PluginHost, settings: Settings) -> Application:
    """As `create_app`, with the plugins of `host`."""
    offerings = gather(host, settings)
    settings = offerings.settings
    models = Models((Model(model) for model in settings.models), offerings.tasks)
    lifecycle = Lifecycle(settings, models, offerings.tasks, offerings.sources, local_runners(settings))
    lifecycle.check()
    check_model_names(host, settings, models)
    down: set[str] = set()
    routes = _route_table(_mounted(host, offerings, settings, down))
    inside = _around(dispatch, app_wrappers(host, settings))
    keys = Keys(_keys(settings))
    owners = Owners(keys, offerings.authenticator) if offerings.authenticator else None
    admission = Admission(inside, routes, keys, settings, owners)
    background = BackgroundTasks()
    collectors = [(OWN, background.restarts), *offerings.collectors]
    metrics = Metrics(models, collectors, lambda owner, reason: host.warn(owner, Failure(reason)))
    server = Server(
        settings=settings,
        models=models,
        plugins=list(host.reports.values()),
        routes=routes,
        lifecycle=lifecycle,
        admission=admission,
        metrics=metrics,
        background=background,
        openapi=_described(offerings, keyed=admission.keyed),
    )
    stack = _stack(admission, server_wrappers(host, settings), settings)
    return Application(server, stack, partial(_live, host, down))


def _stack(admission: Admission, wrappers: Sequence[Wrapper], settings: Settings) -> ASGIApp:
    """What a request goes through before it is let in: its id, the core's own wrappers, the plugins', CORS, errors.

    The core's only watch. They see what the client gets, whatever a plugin answers or raises.
    """
    app = _with_cors(ErrorMiddleware(admission), settings)
    if outer := [each for each in wrappers if each.owner != OWN]:
        app = ErrorMiddleware(_around(app, outer))
    return RequestIdMiddleware(_around(app, [each for each in wrappers if each.owner == OWN]))


def _around(app: ASGIApp, wrappers: Sequence[Wrapper]) -> ASGIApp:
    for wrapper in reversed(wrappers):
        app = _of_plugin(wrapper.owner, wrapper.around(app))
    return app


def _of_plugin(owner: str, app: ASGIApp) -> ASGIApp:
    """`app`, whose failures the log puts down to its owner."""
    if owner == OWN:
        return app

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        _plugin_at_work = owner
        await app(scope, receive, send)

    return run


def _with_cors(app: ASGIApp, settings: Settings) -> ASGIApp:
    if not settings.cors_origins:
        return app
    return Cors(
        app, allow_origins=settings.cors_origins, allow_methods=["*"], allow_headers=["*"], expose_headers=_EXPOSED
    )


def _keys(settings: Settings) -> dict[str, str]:
    return {name: key.get_secret_value() for name, key in settings.api_keys.items()}


def _described(offerings: Offerings, *, keyed: bool) -> dict[str, Any]:
    formatters = {each: offerings.stage("ovms_formatter", each) for _, each in offerings.endpoints}
    endpoints = {each: formatter.it if formatter else each for each, formatter in formatters.items()}
    routes = [route for _, route in offerings.routes if isinstance(route, Route)]
    return openapi.document(endpoints, routes, keyed=keyed)


# -- routes


def _route_table(routes: Iterable[MountedRoute]) -> RouteTable:
    try:
        return RouteTable(routes)
    except RouteConflictError as error:
        raise PluginError(str(error)) from None


def _mounted(host: PluginHost, offerings: Offerings, settings: Settings, down: set[str]) -> Iterable[MountedRoute]:
    """Every plain route and every endpoint at all its paths."""
    observers = Observers(offerings.observers)
    fragile = {owner for owner, _ in host.implementations("ovms_lifespan")}

    def mount(
        owner: str, what: AnyRoute | Endpoint[Any], method: str, paths: Sequence[str], app: ASGIApp
    ) -> Iterable[MountedRoute]:
        app = _unless_down(app, owner, down) if owner in fragile else app
        return (MountedRoute(method, path, app, what.public, owner, what.path) for path in paths)

    for owner, route in offerings.routes:
        method, answering = route_app(route)
        yield from mount(owner, route, method, route_paths(route), answering)
    for owner, endpoint in offerings.endpoints:
        pipeline = _pipeline(host, offerings, Owned(owner, endpoint), settings, observers)
        yield from mount(owner, endpoint, endpoint.method, endpoint_paths(endpoint), pipeline)


def _pipeline(
    host: PluginHost, offerings: Offerings, endpoint: Owned[Endpoint[Any]], settings: Settings, observers: Observers
) -> Pipeline:
    return Pipeline(
        endpoint,
        settings,
        parser=offerings.stage("ovms_parser", endpoint.it),
        executor=offerings.stage("ovms_executor", endpoint.it),
        formatter=offerings.stage("ovms_formatter", endpoint.it),
        interceptors=[Owned(each.owner, each.wrap) for each in execution_wrappers(host, endpoint.it, settings)],
        observers=observers,
    )


def _unless_down(app: ASGIApp, owner: str, down: set[str]) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if owner in down:
            message = f"Plugin '{owner}' could not be started; the server's log says why."
            raise APIError(503, message, code="plugin_down", retry_after=60)
        await app(scope, receive, send)

    return answer


# -- life


@asynccontextmanager
async def _live(host: PluginHost, down: set[str], app: Application) -> AsyncIterator[None]:
    lifecycle = app.server.lifecycle
    background = app.server.background
    background.open()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(background.close)  # should the start fail
        for owner, _ in host.implementations("ovms_lifespan"):
            if not await open_life(stack, host, owner, app):
                down.add(owner)
                require(host, app.server.settings.plugins)
        stack.push_async_callback(background.close)  # before what the plugins have open
        lifecycle.start()
        stack.push_async_callback(lifecycle.stop)
        yield


__all__ = ["Application", "create_app"]
