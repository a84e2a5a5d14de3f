"""What the plugins offer, gathered once at startup and checked for conflicts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from inspect import iscoroutinefunction
from itertools import product
from typing import Any, TypeVar

from ovms_core.configuration.errors import ConfigurationError
from ovms_core.endpoint import Endpoint, Formatter
from ovms_core.errors import PluginError
from ovms_core.http.routing import check_path
from ovms_core.models.source import Source
from ovms_core.observe import Observer
from ovms_core.plugin_loading.host import PluginHost
from ovms_core.plugin_loading.loader import require
from ovms_core.plugin_loading.own_settings import with_plugin_settings
from ovms_core.plugin_loading.report import PluginReport
from ovms_core.routes.route import Handler, Route
from ovms_core.settings import Settings
from ovms_core.task import Task

log = logging.getLogger("ovms.plugins")
T = TypeVar("T")


_STAGES = ("ovms_parser", "ovms_executor", "ovms_formatter")


@dataclass(frozen=True, slots=True)
class Replacement:
    """What the plugin `owner` puts in the place of a stage of `endpoint`."""

    owner: str
    hook: str
    endpoint: Endpoint[Any]
    stage: Any


@dataclass(slots=True)
class Offerings:
    """Everything that the active plugins offer, each with the name of its plugin."""

    settings: Settings = field(default_factory=Settings)
    """The server's, with the plugins' own."""
    tasks: dict[str, Task] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    endpoints: list[tuple[str, Endpoint[Any]]] = field(default_factory=list)
    replacements: list[Replacement] = field(default_factory=list)
    routes: list[tuple[str, Route]] = field(default_factory=list)
    observers: dict[str, Observer] = field(default_factory=dict)

    def replacement(self, hook: str, endpoint: Endpoint[Any]) -> Any | None:
        """What a plugin puts in the place of a stage of `endpoint`. Raises `PluginError` when two do."""
        found = {r.owner: r.stage for r in self.replacements if r.hook == hook and r.endpoint is endpoint}
        if len(found) > 1:
            both = " and ".join(f"'{owner}'" for owner in found)
            raise PluginError(f"Plugins {both} both answer {hook} for {endpoint.path}. Block one (plugins.block).")
        return next(iter(found.values()), None)


@dataclass(slots=True)
class _Registered:
    """What one plugin registers."""

    tasks: list[Task]
    sources: list[Source]
    endpoints: list[Endpoint[Any]]
    routes: list[Route]


def gather(host: PluginHost, settings: Settings) -> Offerings:
    """Ask every plugin what it offers, after its own settings were checked.

    A plugin that raises is quarantined whole: nothing of it stays. Raises `PluginError` when two plugins
    offer the same, when one that guards requests fails, or a required one does not work, and `ConfigurationError` for
    what is wrong in the plugins' settings.
    """
    settings = with_plugin_settings(host, settings)
    registered = {owner: found for owner in host.active() if (found := _register(host, owner, settings))}
    replacements = [each for found in registered.values() for each in _replacements(host, found.endpoints)]
    require(host, settings.plugins)
    active = host.active()
    registered = {owner: registered[owner] for owner in active if owner in registered}
    return Offerings(
        settings=settings,
        tasks=_unique("task", ((o, t) for o, r in registered.items() for t in r.tasks), lambda task: task.name),
        sources=_unique("source", ((o, s) for o, r in registered.items() for s in r.sources), lambda s: s.scheme),
        endpoints=[(owner, endpoint) for owner, found in registered.items() for endpoint in found.endpoints],
        routes=[(owner, route) for owner, found in registered.items() for route in found.routes],
        replacements=[each for each in replacements if each.owner in active],
        observers=_observers(host, settings),
    )


def _register(host: PluginHost, owner: str, settings: Settings) -> _Registered | None:
    try:
        return _Registered(
            list(host.ask(owner, "ovms_register_tasks") or ()),
            list(host.ask(owner, "ovms_register_sources") or ()),
            [_whole(each) for each in host.ask(owner, "ovms_register_endpoints", settings=settings) or ()],
            [_usable(each) for each in host.ask(owner, "ovms_register_routes", settings=settings) or ()],
        )
    except ConfigurationError:
        raise  # what the operator wrote is wrong: as with every other setting, that stops the start
    except Exception as error:
        host.quarantine(owner, f"its registration failed: {type(error).__name__}: {error}")
        return None


def _whole(endpoint: Endpoint[Any]) -> Endpoint[Any]:
    if lacking := [name for name in ("path", "body") if not hasattr(endpoint, name)]:
        raise PluginError(f"endpoint {type(endpoint).__name__} has no {' and no '.join(lacking)}")
    if endpoint.method != endpoint.method.upper():
        raise PluginError(f"the method of an endpoint must be in upper case, not '{endpoint.method}'")
    for path in (endpoint.path, *endpoint.also):
        check_path(path)
    return endpoint


def _usable(route: Route) -> Route:
    check_path(route.path)
    if not _is_async(route.handler):
        name = getattr(route.handler, "__name__", route.handler)
        raise PluginError(f"the handler {name} of the route {route.path} is no async function")
    return replace(route, method=route.method.upper())


def _is_async(handler: Handler) -> bool:
    return iscoroutinefunction(handler) or iscoroutinefunction(type(handler).__call__)


def _replacements(host: PluginHost, endpoints: Iterable[Endpoint[Any]]) -> Iterable[Replacement]:
    """Every answer to the hooks that replace a stage of one of `endpoints`."""
    for endpoint, hook in product(endpoints, _STAGES):
        for owner, implementation in host.implementations(hook):
            try:
                stage = _fitting(hook, implementation(endpoint=endpoint))
            except Exception as error:
                host.quarantine(owner, f"{hook} failed: {type(error).__name__}: {error}")
                continue
            if stage is not None:
                yield Replacement(owner, hook, endpoint, stage)


def _fitting(hook: str, stage: Any) -> Any:
    if hook == "ovms_formatter" and stage is not None and not isinstance(stage, Formatter):
        raise TypeError(f"{stage!r} is no Formatter: make it an object of a subclass")
    return stage


def _unique(what: str, items: Iterable[tuple[str, T]], key: Callable[[T], str]) -> dict[str, T]:
    found: dict[str, tuple[str, T]] = {}
    for owner, item in items:
        other, _ = found.setdefault(key(item), (owner, item))
        if found[key(item)][1] is not item:
            raise PluginError(
                f"Two plugins register the {what} '{key(item)}': '{other}' and '{owner}'. "
                "Block one of them (plugins.block)."
            )
    return {name: item for name, (_, item) in found.items()}


def _observers(host: PluginHost, settings: Settings) -> dict[str, Observer]:
    found = {}
    for owner, implementation in host.implementations("ovms_observe"):
        try:
            observer = implementation(settings=settings)
        except Exception:
            log.exception("plugin %s: ovms_observe failed; it observes nothing", owner)
            continue
        if observer is not None:
            found[owner] = observer
    return found


__all__ = ["Offerings", "PluginReport", "gather"]
