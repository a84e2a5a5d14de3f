"""Which route answers a request: a dictionary for plain paths, patterns for the few that have parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from starlette.convertors import CONVERTOR_TYPES, Convertor
from starlette.types import ASGIApp

from ovms_core.errors import APIError

SOCKET: Final = "WEBSOCKET"
"""The method of a WebSocket's route."""
ANY: Final = "ANY"
"""The method of a route that answers everything below its path, WebSockets included: an application of its own."""

_SLASHES = re.compile("//+")
_PARAMETER = re.compile(r"(\{[^}]*\})")


@dataclass(frozen=True, slots=True)
class MountedRoute:
    """A method and a path where something answers, whose it is, and whether it does so without an API key.

    `endpoint` is the path as the plugin wrote it, without a prefix.
    """

    method: str
    path: str
    app: ASGIApp
    public: bool = False
    owner: str = "core"
    endpoint: str = ""

    @property
    def name(self) -> str:
        """What the log calls it: ``POST /chat/completions``."""
        return f"{self.method} {self.endpoint or self.path}"

    def at(self, path: str, parameters: Mapping[str, Any]) -> str:
        """The `path` that a client sent, with these `parameters`, without its superfluous slashes."""
        if self.method == ANY:
            return _SLASHES.sub("/", path)
        return _PARAMETER.sub(lambda found: str(parameters[found[0][1:-1].partition(":")[0]]), self.path)


@dataclass(slots=True)
class _Pattern:
    regex: re.Pattern[str]
    converters: dict[str, Convertor[Any]]
    routes: dict[str, MountedRoute] = field(default_factory=dict)


class RouteConflictError(Exception):
    """Two plugins claim one route."""


class RouteTable:
    """All routes of the server. Raises `RouteConflictError`, naming both owners, when two claim the same."""

    def __init__(self, routes: Iterable[MountedRoute]) -> None:
        self._routes = list(routes)
        self._exact: dict[str, dict[str, MountedRoute]] = {}
        self._patterns: dict[str, _Pattern] = {}
        self._mounts: dict[str, dict[str, MountedRoute]] = {}
        for route in self._routes:
            self._add(route)

    def __iter__(self) -> Iterator[MountedRoute]:
        return iter(self._routes)

    def _methods(self, route: MountedRoute) -> dict[str, MountedRoute]:
        if route.method == ANY:
            return self._mounts.setdefault(route.path, {})
        return self._pattern(route.path).routes if "{" in route.path else self._exact.setdefault(route.path, {})

    def _add(self, route: MountedRoute) -> None:
        methods = self._methods(route)
        other = methods.setdefault(route.method, route)
        if other is not route:
            raise RouteConflictError(
                f"Two plugins claim {route.method} {route.path}: '{other.owner}' and '{route.owner}'. "
                "Block one of them (plugins.block)."
            )

    def _pattern(self, path: str) -> _Pattern:
        if path not in self._patterns:
            self._patterns[path] = _compiled(path)
        return self._patterns[path]

    def find(self, method: str, path: str) -> tuple[MountedRoute, dict[str, Any]]:
        """The route and its path parameters. Raises `APIError` 404, 405 with ``Allow``, or 426 for a WebSocket.

        Several slashes count as one, as clients write them that join a base URL and a path; but not in a parameter.
        """
        methods, parameters = self._match(path)
        route = methods.get(method) or methods.get(ANY) or (methods.get("GET") if method == "HEAD" else None)
        if route is None:
            raise _refusal(method, path[:200], methods)
        return route, parameters

    def takes_sockets(self, path: str) -> bool:
        """Whether a WebSocket can be opened at `path`."""
        try:
            self.find(SOCKET, path)
        except APIError:
            return False
        return True

    def any_sockets(self) -> bool:
        """Whether there is any route for WebSockets."""
        return any(route.method in (SOCKET, ANY) for route in self._routes)

    def _match(self, path: str) -> tuple[dict[str, MountedRoute], dict[str, Any]]:
        path = path.rstrip("/") or "/"
        folded = _SLASHES.sub("/", path) if "//" in path else path
        if folded in self._exact:
            return self._exact[folded], {}
        for pattern in self._patterns.values():
            if match := pattern.regex.fullmatch(path):
                found = match.groupdict().items()
                return pattern.routes, {name: pattern.converters[name].convert(value) for name, value in found}
        for prefix in sorted(self._mounts, reverse=True):  # a longer one before what it begins with
            if f"{folded}/".startswith(f"{prefix}/"):
                return self._mounts[prefix], {}
        close = get_close_matches(path[:200], self._exact, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise APIError(404, f"There is no {path[:200]} here.{hint}", code="unknown_route")


def _refusal(method: str, path: str, methods: Iterable[str]) -> APIError:
    """What a client is told that uses none of the `methods` of a path."""
    allowed = sorted({*methods, *({"HEAD"} if "GET" in methods else ())} - {SOCKET})
    if method == SOCKET:
        return APIError(404, f"There is no WebSocket at {path}.", code="unknown_route")
    if not allowed:
        headers = {"upgrade": "websocket", "connection": "upgrade", "sec-websocket-version": "13"}
        message = f"{path} is a WebSocket: connect to it as one."
        return APIError(426, message, code="websocket_required", headers=headers)
    message = f"Method {method} is not allowed for {path}; allowed: {', '.join(allowed)}."
    return APIError(405, message, code="method_not_allowed", headers={"allow": ", ".join(allowed)})


def check_path(path: str) -> None:
    """Raise `ValueError` for the path of a route or an endpoint that no request could match."""
    if fault := _fault(path):
        raise ValueError(f"the path '{path}' cannot be used: {fault}")


def _fault(path: str) -> str | None:
    if not path.startswith("/"):
        return "it must begin with '/'"
    if "//" in path:
        return "it has two slashes in a row"
    if path.endswith("/") and path != "/":
        return "it must not end with '/'"
    if {"{", "}"} & {*_PARAMETER.sub("", path)}:
        return "its braces do not match"
    return _fault_of_parameters(_PARAMETER.findall(path))


def _fault_of_parameters(parameters: Iterable[str]) -> str | None:
    names = set[str]()
    for parameter in parameters:
        name, colon, kind = parameter[1:-1].partition(":")
        if not name.isidentifier():
            return f"its parameter {parameter} has no name that Python allows"
        if colon and kind not in CONVERTOR_TYPES:
            return f"its parameter {parameter} has none of the types {', '.join(CONVERTOR_TYPES)}"
        if name in names:
            return f"two of its parameters are named '{name}'"
        names.add(name)
    return None


def _compiled(path: str) -> _Pattern:
    """The pattern of a `path` with parameters as Starlette writes them: ``/models/{id:path}``."""
    regex, converters = "", dict[str, Convertor[Any]]()
    for part in _PARAMETER.split(path):
        if part.startswith("{"):
            name, _, kind = part[1:-1].partition(":")
            converters[name] = CONVERTOR_TYPES[kind or "str"]
            regex += f"(?P<{name}>{converters[name].regex})"
        else:
            regex += re.escape(part).replace("/", "/+")
    return _Pattern(re.compile(regex), converters)
