"""The application: the only place where everything meets."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ovms_core import offerings as offered
from ovms_core.endpoint import Endpoint
from ovms_core.errors import APIError
from ovms_core.http.admission import Admission, dispatch
from ovms_core.http.auth import Keys
from ovms_core.http.cors import Cors
from ovms_core.http.errors import ErrorMiddleware
from ovms_core.http.request_ids import RequestIdMiddleware
from ovms_core.http.routing import Route, RouteConflictError, RouteTable
from ovms_core.loader import PluginError, PluginHost, load_plugins, require
from ovms_core.metrics import ModelMetrics, RequestMetrics
from ovms_core.models.lifecycle import Lifecycle
from ovms_core.models.model import Model
from ovms_core.models.registry import Models
from ovms_core.observe import Observers
from ovms_core.pipeline import Pipeline
from ovms_core.routes import docs, health, metrics, models, openapi
from ovms_core.routes.index import index
from ovms_core.settings import Settings
from ovms_core.workers.local import start_local_runner

AppMiddleware = Callable[[ASGIApp], ASGIApp]
"""ASGI middleware: given the application inside, the application outside."""

PREFIXES = ("/v3", "/v1", "/v3/v1")
"""Where endpoints are mounted: OpenVINO Model Server's prefix, OpenAI's, and the first with a client's own ``/v1``."""


class Application(Starlette):
    """A Starlette application with a stack of its own: request ids, CORS, errors, admission, plugins, route."""

    stack: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer HTTP with the stack that `create_app` made; Starlette's router keeps the lifespan."""
        scope["app"] = self
        if scope["type"] == "http":
            await self.stack(scope, receive, send)
        else:
            await self.router(scope, receive, _in_plain_words(send))


def create_app(settings: Settings, plugins: Sequence[object] | None = None) -> Application:
    """The server as an ASGI application.

    With `plugins`, only these are used and none is looked for. Raises `PluginError` and
    `ConfigurationError` for what must be put right before the server can start.
    """
    host = load_plugins(settings.plugins, plugins)
    offerings = offered.gather(host, settings)
    served = Models([Model(model) for model in settings.models])
    lifecycle = Lifecycle(settings, list(served), offerings.tasks, offerings.sources, start_local_runner)
    lifecycle.check()
    closed: set[str] = set()
    mounted = _mount(host, offerings, settings, closed)
    described = openapi.document([endpoint for endpoint, _ in mounted], PREFIXES, keyed=bool(settings.api_keys))
    table = _table([*_core_routes(), *_documentation(described), *(route for _, r in mounted for route in r)])

    app = Application(lifespan=_lifespan(host, lifecycle, closed))
    app.state.settings = settings
    app.state.models = served
    app.state.lifecycle = lifecycle
    app.state.created = int(time.time())
    app.state.plugins = list(host.reports.values())
    app.state.routes = table
    app.state.registries = _registries(offerings, served)
    app.state.admission = Admission(_fold(dispatch, offerings.middleware), table, Keys(_keys(settings)), settings)
    app.stack = RequestIdMiddleware(_with_cors(ErrorMiddleware(app.state.admission), settings))
    return app


def _fold(app: ASGIApp, middleware: Sequence[AppMiddleware]) -> ASGIApp:
    for wrap in reversed(middleware):
        app = wrap(app)
    return app


def _with_cors(app: ASGIApp, settings: Settings) -> ASGIApp:
    if not settings.cors_origins:
        return app
    exposed = ["x-request-id", "x-ignored-params", "x-warnings", "retry-after"]
    return Cors(
        app, allow_origins=settings.cors_origins, allow_methods=["*"], allow_headers=["*"], expose_headers=exposed
    )


def _keys(settings: Settings) -> dict[str, str]:
    return {name: key.get_secret_value() for name, key in settings.api_keys.items()}


def _registries(offerings: offered.Offerings, served: Models) -> list[CollectorRegistry]:
    about_models = CollectorRegistry()
    about_models.register(ModelMetrics(served))
    return [about_models, *(seen.registry for seen in offerings.observers if isinstance(seen, RequestMetrics))]


# -- routes


Handler = Callable[[Request], Awaitable[Response]]


def _plain(handler: Handler) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        response = await handler(Request(scope, receive))
        await response(scope, receive, send)

    return answer


def _core_routes() -> Iterable[Route]:
    yield Route("GET", "/", _plain(index(PREFIXES[0])))
    for prefix in PREFIXES:
        yield Route("GET", prefix, _plain(index(prefix)))
        yield Route("GET", f"{prefix}/models", _plain(models.list_models))
        yield Route("GET", f"{prefix}/models/{{id:path}}", _plain(models.show_model))
    yield Route("GET", "/health", _plain(health.health), public=True)
    yield Route("GET", "/v2/health/live", _plain(health.health), public=True)
    yield Route("GET", "/v2/health/ready", _plain(health.ready), public=True)
    yield Route("GET", "/version", _plain(health.version))
    yield Route("GET", "/metrics", _plain(metrics.metrics))


def _documentation(described: dict[str, Any]) -> Iterable[Route]:
    schema = Response(msgspec.json.encode(described), media_type="application/json")
    yield Route("GET", "/openapi.json", schema)
    yield Route("GET", "/docs", HTMLResponse(docs.page(described)))


def _table(routes: Sequence[Route]) -> RouteTable:
    try:
        return RouteTable(routes)
    except RouteConflictError as error:
        raise PluginError(str(error)) from None


def _mount(
    host: PluginHost, offerings: offered.Offerings, settings: Settings, closed: set[str]
) -> list[tuple[Endpoint[Any], list[Route]]]:
    """Every endpoint with its routes."""
    observers = Observers(offerings.observers)
    pipelines = [
        (owner, each, _pipeline(host, offerings, each, settings, observers)) for owner, each in offerings.endpoints
    ]
    fragile = {owner for owner, _ in host.implementations("ovms_lifespan")}
    return [
        (endpoint, _routes(endpoint, _unless_closed(pipeline, owner, closed) if owner in fragile else pipeline, owner))
        for owner, endpoint, pipeline in pipelines
    ]


def _routes(endpoint: Endpoint[Any], app: ASGIApp, owner: str) -> list[Route]:
    return [Route(endpoint.method, path, app, endpoint.public, owner) for path in mounts(endpoint)]


def _pipeline(
    host: PluginHost, offerings: offered.Offerings, endpoint: Endpoint[Any], settings: Settings, observers: Observers
) -> Pipeline:
    return Pipeline(
        endpoint,
        settings,
        parser=offerings.replacement("ovms_parser", endpoint),
        executor=offerings.replacement("ovms_executor", endpoint),
        formatter=offerings.replacement("ovms_formatter", endpoint),
        interceptors=offered.interceptors(host, endpoint, settings),
        observers=observers,
    )


def mounts(endpoint: Endpoint[Any]) -> list[str]:
    """Every path at which `endpoint` answers, each once."""
    paths = (endpoint.path, *endpoint.also)
    prefixes = (*PREFIXES, "") if endpoint.bare else PREFIXES
    return list(dict.fromkeys(prefix + path for prefix in prefixes for path in paths))


def _unless_closed(app: ASGIApp, owner: str, closed: set[str]) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if owner in closed:
            message = f"Plugin '{owner}' could not be started; the server's log says why."
            raise APIError(503, message, code="plugin_down", retry_after=60)
        await app(scope, receive, send)

    return answer


# -- life


def _lifespan(host: PluginHost, lifecycle: Lifecycle, closed: set[str]) -> Callable[[Starlette], Any]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for owner, implementation in host.implementations("ovms_lifespan"):
                await _open(host, owner, implementation, app, stack, closed)
            lifecycle.start()
            stack.push_async_callback(lifecycle.stop)
            yield

    return lifespan


def _in_plain_words(send: Send) -> Send:
    """`send`, but what the operator must put right comes without the traceback that Starlette makes of it."""

    async def send_plainly(message: Message) -> None:
        error = sys.exception()
        if message["type"] == "lifespan.startup.failed" and isinstance(error, PluginError):
            message = {**message, "message": str(error)}
        await send(message)

    return send_plainly


async def _open(
    host: PluginHost,
    owner: str,
    implementation: Callable[..., Any],
    app: Starlette,
    stack: AsyncExitStack,
    closed: set[str],
) -> None:
    try:
        if (context := implementation(app=app)) is not None:
            await stack.enter_async_context(context)
    except Exception as error:
        closed.add(owner)
        host.quarantine(owner, f"ovms_lifespan failed: {type(error).__name__}: {error}")
        require(host, app.state.settings.plugins)


__all__ = ["AppMiddleware", "Application", "PluginError", "create_app", "mounts"]
