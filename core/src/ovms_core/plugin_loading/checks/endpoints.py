"""What an endpoint must be like, so that it can work: checked when it is registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import NoneType
from typing import Any

from ovms_core.calls.endpoint import Endpoint, Formatter
from ovms_core.errors import PluginError
from ovms_core.http.routing import check_path
from ovms_core.plugin_loading.checks.functions import coroutine_fault, described, generator_fault, placed, plain_fault
from ovms_core.request_body.body import Body
from ovms_core.routes.route import AnyRoute, Mount, Route, WebSocketRoute

_FORMATTER: dict[str, tuple[Callable[..., str | None], tuple[str, ...]]] = {
    "unary": (coroutine_fault, ("call", "events")),
    "stream": (generator_fault, ("call", "events")),
    "stream_headers": (plain_fault, ("call",)),
    "error": (plain_fault, ("call", "error")),
}
_ENDPOINT: dict[str, tuple[Callable[..., str | None], tuple[str, ...]]] = {
    "parse": (coroutine_fault, ("request",)),
    "execute": (generator_fault, ("call",)),
    "texts": (plain_fault, ("call",)),
    "to_json": (plain_fault, ("call", "events")),
    **_FORMATTER,
}
"""The kind of function that each method is, and what it is called with."""
_TRUTH, _TEXT = ((bool,), "True or False"), ((str,), "a text")
_MEMBERS: dict[str, tuple[tuple[type, ...], str]] = {
    "also": ((tuple, list), "a tuple"),
    "accepts": ((tuple, list), "a tuple"),
    "bare": _TRUTH,
    "public": _TRUTH,
    "streams": _TRUTH,
    "method": _TEXT,
    "task": ((str, NoneType), "a text, or None"),
}
"""What the other members are. Who may be let in without a key must not hang on what Python takes for true."""


def check_endpoint(endpoint: Endpoint[Any]) -> Endpoint[Any]:
    """`endpoint`, if it can work. Raises `PluginError` that says what to change, and where it is written."""
    name = type(endpoint).__name__
    for fault in _faults(endpoint):
        raise PluginError(placed(f"{name}{fault}", type(endpoint)))
    for method, fault in _method_faults(endpoint, _ENDPOINT):
        raise PluginError(placed(f"{name}.{method} cannot be used: {fault}", getattr(endpoint, method)))
    return endpoint


def check_route(route: AnyRoute) -> AnyRoute:
    """As `check_endpoint`, for a route: with its method in upper case."""
    answering = route.app if isinstance(route, Mount) else route.handler
    for fault in _path_faults(route.path):
        raise PluginError(placed(f"a {type(route).__name__}{fault}", answering))
    if isinstance(route, Mount):
        return _check_mount(route)
    if not isinstance(route.public, bool):
        raise PluginError(f"public of the route {route.path} is {described(route.public)}, and must be True or False")
    argument = "websocket" if isinstance(route, WebSocketRoute) else "request"
    if unfit := coroutine_fault(route.handler, argument):
        message = f"{described(route.handler)}, the handler of the route {route.path}, cannot be used: {unfit}"
        raise PluginError(placed(message, route.handler))
    return replace(route, method=route.method.upper()) if isinstance(route, Route) else route


def _check_mount(mount: Mount) -> Mount:
    if mount.path == "/" or "{" in mount.path:
        raise PluginError(f"nothing can be mounted at {mount.path}: choose a path of its own, such as /studio")
    if isinstance(mount.app, type) or not callable(mount.app):
        raise PluginError(f"{described(mount.app)}, which is mounted at {mount.path}, is no ASGI application")
    return mount


def formatter_fault(formatter: Formatter) -> str | None:
    """The first thing that keeps `formatter` from working."""
    for method, fault in _method_faults(formatter, _FORMATTER):
        return f"its {method} cannot be used: {fault}"
    return None


def _faults(endpoint: Endpoint[Any]) -> Iterator[str]:
    if lacking := [name for name in ("path", "body") if not hasattr(endpoint, name)]:
        yield f" has no {' and no '.join(lacking)}"
    yield from _type_faults(endpoint)
    for path in (endpoint.path, *endpoint.also):
        yield from _path_faults(path)
    if endpoint.method != endpoint.method.upper():
        yield f".method must be in upper case, not '{endpoint.method}'"
    yield from _body_faults(endpoint)


def _type_faults(endpoint: Endpoint[Any]) -> Iterator[str]:
    for name, (kind, what) in _MEMBERS.items():
        value: Any = getattr(endpoint, name)
        if not isinstance(value, kind):
            hint = f": write ({value!r},), with the comma" if tuple in kind and isinstance(value, str) else ""
            yield f".{name} is {described(value)}, and must be {what}{hint}"


def _path_faults(path: Any) -> Iterator[str]:
    if not isinstance(path, str):
        yield f" has {described(path)} for a path: that must be a text, such as '/shout'"
        return
    try:
        check_path(path)
    except ValueError as error:
        hint = f": write '/{path}'" if not path.startswith("/") else ""
        yield f": {error}{hint}"


def _body_faults(endpoint: Endpoint[Any]) -> Iterator[str]:
    body: Any = endpoint.body
    if not (isinstance(body, type) and issubclass(body, Body)):
        yield f".body is {described(body)}: it must be a class that derives from ovms_core.plugin.Body"
    parses = type(endpoint).parse is not Endpoint.parse  # then it may find out in its own way
    if endpoint.streams and not parses and "stream" not in body.model_fields:
        yield (
            f".streams is True, but its body has no field 'stream', so nobody can ask for a stream: add "
            f"'stream: bool = False' to {body.__name__}"
        )


def _method_faults(
    thing: Any, methods: dict[str, tuple[Callable[..., str | None], tuple[str, ...]]]
) -> Iterator[tuple[str, str]]:
    for method, (fault_of, arguments) in methods.items():
        if fault := fault_of(getattr(thing, method), *arguments):
            yield method, fault
