"""What the plugins offer, gathered once at startup and checked for conflicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, TypeVar

from prometheus_client.registry import Collector

from ovms_core.calls.endpoint import Endpoint
from ovms_core.calls.observe import Observer
from ovms_core.diagnostics.attribution import Owned
from ovms_core.errors import PluginError
from ovms_core.http.auth import Authenticator
from ovms_core.models.source import Source
from ovms_core.plugin_loading.authentication import authenticator
from ovms_core.plugin_loading.checks.endpoints import check_endpoint, check_route
from ovms_core.plugin_loading.checks.event_types import check_events
from ovms_core.plugin_loading.checks.overrides import check_overrides
from ovms_core.plugin_loading.checks.tasks import check_endpoints_tasks, check_task
from ovms_core.plugin_loading.failure import HookError, failure_of
from ovms_core.plugin_loading.host import PluginHost
from ovms_core.plugin_loading.loader import require
from ovms_core.plugin_loading.own_settings import with_plugin_settings
from ovms_core.routes.route import AnyRoute
from ovms_core.settings import Settings
from ovms_core.task import Task

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
    routes: list[tuple[str, AnyRoute]] = field(default_factory=list)
    observers: dict[str, Observer] = field(default_factory=dict)
    collectors: list[tuple[str, Collector]] = field(default_factory=list)
    authenticator: Owned[Authenticator] | None = None

    def stage(self, hook: str, endpoint: Endpoint[Any]) -> Owned[Any] | None:
        """What a plugin puts in the place of a stage of `endpoint`. Raises `PluginError` when two do."""
        found = {r.owner: r.stage for r in self.replacements if r.hook == hook and r.endpoint is endpoint}
        if len(found) > 1:
            both = " and ".join(f"'{owner}'" for owner in found)
            raise PluginError(f"Plugins {both} both answer {hook} for {endpoint.path}. Block one (plugins.block).")
        return next((Owned(owner, stage) for owner, stage in found.items()), None)


@dataclass(slots=True)
class _Registered:
    """What one plugin registers."""

    tasks: list[Task]
    sources: list[Source]
    endpoints: list[Endpoint[Any]]
    routes: list[AnyRoute]


def gather(host: PluginHost, settings: Settings) -> Offerings:
    """Ask every plugin what it offers, after its own settings were checked.

    A plugin that raises is quarantined whole: nothing of it stays. Raises `PluginError` when two plugins
    offer the same, when one that guards requests fails, or a required one does not work, and `ConfigurationError` for
    what is wrong in the plugins' settings.
    """
    settings = with_plugin_settings(host, settings)
    registered = {owner: found for owner in host.active() if (found := _register(host, owner, settings))}
    _check_tasks(host, registered)
    replacements = [each for found in registered.values() for each in _replacements(host, found.endpoints, settings)]
    require(host, settings.plugins)
    active = host.active()
    registered = {owner: registered[owner] for owner in active if owner in registered}
    endpoints = [(owner, endpoint) for owner, found in registered.items() for endpoint in found.endpoints]
    replacements = [each for each in replacements if each.owner in active]
    check_events(host, endpoints)
    check_overrides(host, endpoints, [each.endpoint for each in replacements if each.hook == "ovms_formatter"])
    return Offerings(
        settings=settings,
        tasks=_unique("task", ((o, t) for o, r in registered.items() for t in r.tasks), lambda task: task.name),
        sources=_unique("source", ((o, s) for o, r in registered.items() for s in r.sources), lambda s: s.scheme),
        endpoints=endpoints,
        routes=[(owner, route) for owner, found in registered.items() for route in found.routes],
        replacements=replacements,
        observers=_observers(host, settings),
        collectors=[*_collectors(host, settings)],
        authenticator=authenticator(host, settings),
    )


def _register(host: PluginHost, owner: str, settings: Settings) -> _Registered | None:
    try:
        return _Registered(
            [check_task(each) for each in host.ask(owner, "ovms_register_tasks") or ()],
            host.ask(owner, "ovms_register_sources") or [],
            [check_endpoint(each) for each in host.ask(owner, "ovms_register_endpoints", settings=settings) or ()],
            [check_route(each) for each in host.ask(owner, "ovms_register_routes", settings=settings) or ()],
        )
    except (PluginError, ValueError) as error:
        host.quarantine(owner, failure_of(error, "its registration failed"))
        return None


def _check_tasks(host: PluginHost, registered: dict[str, _Registered]) -> None:
    tasks = [task for found in registered.values() for task in found.tasks]
    check_endpoints_tasks(
        host, [(owner, each) for owner, found in registered.items() for each in found.endpoints], tasks
    )


def _replacements(host: PluginHost, endpoints: Iterable[Endpoint[Any]], settings: Settings) -> Iterable[Replacement]:
    """Every answer to the hooks that replace a stage of one of `endpoints`."""
    for endpoint, hook in product(endpoints, _STAGES):
        for owner, implementation in host.implementations(hook):
            try:
                stage = implementation(endpoint=endpoint, settings=settings)
            except HookError as error:
                host.quarantine(owner, error.failure)
                continue
            if stage is not None:
                yield Replacement(owner, hook, endpoint, stage)


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
        except HookError as error:
            host.warn(owner, replace(error.failure, reason=f"it observes nothing: {error}"))
            continue
        if observer is not None:
            found[owner] = observer
    return found


def _collectors(host: PluginHost, settings: Settings) -> Iterator[tuple[str, Collector]]:
    for owner, implementation in host.implementations("ovms_register_metrics"):
        try:
            found = implementation(settings=settings)
        except HookError as error:
            host.warn(owner, replace(error.failure, reason=f"its metrics are not shown: {error}"))
            continue
        yield from ((owner, collector) for collector in found)
