"""Admission: finds the route, asks whose the request is, and turns away what is too much."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from ovms_core.errors import APIError
from ovms_core.http.auth import Keys, Owners
from ovms_core.http.cors import NoCors, is_preflight
from ovms_core.http.limits import BodyBudget
from ovms_core.http.routing import SOCKET, MountedRoute, RouteTable
from ovms_core.http.sockets import check_origin, serve_socket, take_key
from ovms_core.settings import Settings


class Admission:
    """Lets a request through to `app` with its route in ``scope["ovms.route"]``.

    Its `BodyMeter` is in ``scope["ovms.body"]``: who has parsed the body may release it before the request is over.
    A path that no route has needs the key as well: a stranger learns nothing from it. Once `draining` is set, only
    public routes answer. WebSockets pass the same gate; an open one is a request in flight. `keyed` says whether
    requests must name their owner: with `owners`, of a plugin's authenticator, else with an API key if there are any.
    """

    def __init__(
        self, app: ASGIApp, routes: RouteTable, keys: Keys, settings: Settings, owners: Owners | None = None
    ) -> None:
        self.app = app
        self.keyed = owners is not None or bool(keys)
        self.draining = False
        self.in_flight = 0
        self._routes = routes
        self._owners = owners
        self._user = keys.user if owners is None else _owner_found
        self._origins = settings.cors_origins
        self._no_cors = NoCors()
        self._budget = BodyBudget(settings)
        self._max_requests = settings.max_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._open(scope, receive, send)
            return
        if self._owners is not None:
            await self._find_owner(scope, scope["method"], self._owners)
        self._admit(scope, scope["method"])
        body = scope["ovms.body"] = self._budget.meter(scope, receive)
        self.in_flight += 1
        try:
            await self.app(scope, body, send)
        finally:
            self.in_flight -= 1
            body.release()

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        take_key(scope)
        if self._owners is not None:
            await self._find_owner(scope, SOCKET, self._owners)
        self._admit(scope, SOCKET)
        check_origin(scope, self._origins)
        self.in_flight += 1
        try:
            await serve_socket(self.app, scope, receive, send)
        finally:
            self.in_flight -= 1

    async def _find_owner(self, scope: Scope, method: str, owners: Owners) -> None:
        """Ask whose the request is, unless it is for a public route: while that takes, it is a request in flight."""
        try:
            route, _ = self._routes.find(method, scope["path"])
        except APIError:
            if is_preflight(method, scope["ovms.headers"]):
                return
            self._check_load("")
        else:
            if route.public:
                return
            self._check_load(route.owner)
        self.in_flight += 1
        try:
            scope["state"]["user"] = await owners.owner(scope)
        finally:
            self.in_flight -= 1

    def _admit(self, scope: Scope, method: str) -> None:
        try:
            route, parameters = self._routes.find(method, scope["path"])
        except APIError:
            self._no_cors.refuse(method, scope["ovms.headers"])  # a browser sends no key with it
            self._user(scope)
            raise
        if not route.public:
            scope["state"]["user"] = self._user(scope)
            self._check_load(route.owner)
        if scope["path"] != route.path:  # middleware that looks at paths must see what it knows
            scope["path"] = route.at(scope["path"], parameters)
        scope["ovms.route"] = route
        scope["path_params"] = parameters

    def _check_load(self, owner: str) -> None:
        if self.draining:
            message = "The server is shutting down."
            raise APIError(503, message, code="draining", retry_after=5, headers={"connection": "close"})
        if self.in_flight >= self._max_requests and owner != "core":  # metrics tell what goes on
            message = "The server has too many requests at the moment. Try again later."
            raise APIError(503, message, code="overloaded", retry_after=1)


def _owner_found(scope: Scope) -> str | None:
    owner: str | None = scope["state"]["user"]
    return owner


async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
    """Hand a request that was admitted to its route."""
    route: MountedRoute = scope["ovms.route"]
    _plugin_at_work = route.owner
    await route.app(scope, receive, send)
