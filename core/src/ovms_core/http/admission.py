"""Admission: finds the route, asks for the key, and turns away what is too much."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from ovms_core.errors import APIError
from ovms_core.http.auth import Keys
from ovms_core.http.cors import NoCors
from ovms_core.http.limits import BodyBudget
from ovms_core.http.routing import MountedRoute, RouteTable
from ovms_core.settings import Settings


class Admission:
    """Lets a request through to `app` with its route in ``scope["ovms.route"]``.

    Its `BodyMeter` is in ``scope["ovms.body"]``: who has parsed the body may release it before the request is over.
    A path that no route has needs the key as well: a stranger learns nothing from it. Once `draining` is set, only
    public routes answer.
    """

    def __init__(self, app: ASGIApp, routes: RouteTable, keys: Keys, settings: Settings) -> None:
        self.app = app
        self.draining = False
        self.in_flight = 0
        self._routes = routes
        self._keys = keys
        self._no_cors = NoCors()
        self._budget = BodyBudget(settings)
        self._max_requests = settings.max_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self._admit(scope)
        body = scope["ovms.body"] = self._budget.meter(scope, receive)
        self.in_flight += 1
        try:
            await self.app(scope, body, send)
        finally:
            self.in_flight -= 1
            body.release()

    def _admit(self, scope: Scope) -> None:
        try:
            route, parameters = self._routes.find(scope["method"], scope["path"])
        except APIError:
            self._no_cors.refuse(scope["method"], scope["ovms.headers"])  # a browser sends no key with it
            self._keys.user(scope)
            raise
        if not route.public:
            scope["state"]["user"] = self._keys.user(scope)
            self._check_load(route)
        if scope["path"] != route.path:  # middleware that looks at paths must see what it knows
            scope["path"] = route.at(parameters)
        scope["ovms.route"] = route
        scope["path_params"] = parameters

    def _check_load(self, route: MountedRoute) -> None:
        if self.draining:
            message = "The server is shutting down."
            raise APIError(503, message, code="draining", retry_after=5, headers={"connection": "close"})
        if self.in_flight >= self._max_requests and route.owner != "core":  # metrics tell what goes on
            raise APIError(503, "The server has too many requests in flight.", code="overloaded", retry_after=1)


async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
    """Hand a request that was admitted to its route."""
    route: MountedRoute = scope["ovms.route"]
    _plugin_at_work = route.owner
    await route.app(scope, receive, send)
