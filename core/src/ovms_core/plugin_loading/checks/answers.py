"""What each hook returns. Anything else is told with the hook's name, what it returned, and what to return."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel

from ovms_core.calls.endpoint import Endpoint, Formatter
from ovms_core.calls.observe import Observer
from ovms_core.errors import PluginError
from ovms_core.models.reference import is_scheme
from ovms_core.models.source import Source
from ovms_core.plugin_loading.checks.endpoints import formatter_fault
from ovms_core.plugin_loading.checks.functions import coroutine_fault, described, generator_fault, placed, plain_fault
from ovms_core.routes.route import Mount, Route, WebSocketRoute
from ovms_core.task import Task

Fault = Callable[[Any], str | None]
"""What is wrong with a value, as the end of a sentence; `None` if nothing is."""


@dataclass(frozen=True, slots=True)
class One:
    """A hook that returns one thing, or `None`."""

    what: str
    fault: Fault

    def checked(self, hook: str, value: Any) -> Any:
        """`value`, if the hook may return it. Raises `PluginError`."""
        if value is not None and (fault := self.fault(value)):
            raise PluginError(f"{hook} returned {described(value)}, where {self.what} belongs: {fault}")
        return value


@dataclass(frozen=True, slots=True)
class Several:
    """A hook that returns a list."""

    what: str
    fault: Fault

    def checked(self, hook: str, value: Any) -> list[Any]:
        """As for `One`: the whole list."""
        if value is None:
            raise PluginError(f"{hook} returned None, not a list of {self.what}: return a list, or [] for none")
        if isinstance(value, str | type) or not isinstance(value, Iterable):
            inside = _call_of(value) if self._is_nearly_one(value) else "..."
            raise PluginError(f"{hook} returned {described(value)}, not a list of {self.what}: return [{inside}]")
        items = list(value)
        for item in items:
            if fault := self.fault(item):
                raise PluginError(f"{hook} returned {described(item)} in its list of {self.what}: {fault}")
        return items

    def _is_nearly_one(self, value: Any) -> bool:
        return self.fault(value) is None or isinstance(value, type)


def instance_fault(kind: type, value: Any) -> str | None:
    """What keeps `value` from being an object of the class `kind`, or of a subclass."""
    if isinstance(value, kind):
        return None
    if isinstance(value, type):
        return f"return an object of it, {_call_of(value)}" if issubclass(value, kind) else f"it is no {kind.__name__}"
    return f"its class does not derive from {kind.__name__}"


def _call_of(value: Any) -> str:
    kind = value if isinstance(value, type) else type(value)
    return f"{kind.__name__}()"


def _source_fault(value: Any) -> str | None:
    if isinstance(value, type):
        return f"return an object of it, {_call_of(value)}"
    members = [name for name in vars(Source) if not name.startswith("_")]
    if lacking := [name for name in members if not hasattr(value, name)]:
        return f"a source needs {' and '.join(lacking)}"
    if not isinstance(value.scheme, str) or not is_scheme(value.scheme):
        return f"its scheme is {value.scheme!r}: write small letters, two at least, and no colon"
    faults = {
        "locate": plain_fault(value.locate, "name"),
        "fetch": plain_fault(value.fetch, "name", "into", "offline=", "progress="),
        "offers": plain_fault(value.offers),
    }
    return next((f"its {name} cannot be used: {fault}" for name, fault in faults.items() if fault), None)


def _route_fault(value: Any) -> str | None:
    return None if isinstance(value, WebSocketRoute | Mount) else instance_fault(Route, value)


def _authenticator_fault(value: Any) -> str | None:
    if isinstance(value, type):
        return f"return an object of it, {_call_of(value)}"
    return coroutine_fault(value, "connection")


def _context_fault(value: Any) -> str | None:
    if hasattr(value, "__aenter__") and hasattr(value, "__aexit__"):
        return None
    return "put @asynccontextmanager before the async function with the 'yield', and return what a call of it gives"


def _interceptor_fault(value: Any) -> str | None:
    if isinstance(value, type) and not hasattr(value, "__anext__") and not hasattr(value, "__aiter__"):
        return f"return an object of it, {_call_of(value)}"
    return generator_fault(value, "call", "proceed")


def _formatter_fault(value: Any) -> str | None:
    return instance_fault(Formatter, value) or formatter_fault(value)


def _middleware_fault(value: Any) -> str | None:
    return plain_fault(value, "app")


_MIDDLEWARE = One("a function that takes an ASGI application and returns the one around it", _middleware_fault)


def _settings_fault(value: Any) -> str | None:
    if isinstance(value, BaseModel):
        return f"return the class {type(value).__name__} itself"
    if not isinstance(value, type) or not issubclass(value, BaseModel):
        return "it does not derive from pydantic's BaseModel"
    return None


def _collector_fault(value: Any) -> str | None:
    if isinstance(value, type):
        return f"return an object of it, {_call_of(value)}"
    return None if callable(getattr(value, "collect", None)) else "it has no method collect()"


ANSWERS: dict[str, One | Several] = {
    "ovms_settings": One("a class derived from pydantic's BaseModel", _settings_fault),
    "ovms_register_tasks": Several("Task objects", partial(instance_fault, Task)),
    "ovms_register_endpoints": Several("Endpoint objects", partial(instance_fault, Endpoint)),
    "ovms_register_routes": Several("Route objects", _route_fault),
    "ovms_register_sources": Several("sources", _source_fault),
    "ovms_authenticate": One("an async function of the connection", _authenticator_fault),
    "ovms_parser": One("an async function of the request", lambda value: coroutine_fault(value, "request")),
    "ovms_executor": One("an async generator of the call", lambda value: generator_fault(value, "call")),
    "ovms_formatter": One("a Formatter", _formatter_fault),
    "ovms_wrap_execution": One("an async generator of the call and what is inside", _interceptor_fault),
    "ovms_wrap_app": _MIDDLEWARE,
    "ovms_wrap_server": _MIDDLEWARE,
    "ovms_observe": One("an Observer", partial(instance_fault, Observer)),
    "ovms_register_metrics": Several("collectors of prometheus_client", _collector_fault),
    "ovms_lifespan": One("an async context manager", _context_fault),
}
"""A row for each hook whose answer is used."""


def check_answer(hook: str, value: Any, implementation: Callable[..., Any]) -> Any:
    """`value` as the hook may return it: a list where it returns several. Raises `PluginError`."""
    try:
        return ANSWERS[hook].checked(hook, value) if hook in ANSWERS else value
    except PluginError as error:
        raise PluginError(placed(str(error), implementation)) from None
