"""The plugins of one application: each is checked when it is added, and has a report on what became of it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from typing import Any, get_args

import pluggy

from ovms_core import hookspecs
from ovms_core.errors import PluginError
from ovms_core.hookspecs import Place, place_of
from ovms_core.plugin_loading.report import PluginReport, PluginState

log = logging.getLogger("ovms.plugins")

OWN = "core"
"""The name of the core's own plugin, which always comes first."""
WRAPS = ("ovms_wrap_execution", "ovms_wrap_app", "ovms_wrap_server")
"""The hooks that wrap."""
GUARDS = (*WRAPS, "ovms_authenticate")
"""A plugin with one of these hooks may guard requests, so the server does not start without it."""


class PluginHost:
    """The pluggy host of one application: its plugins, each with a report on what became of it."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.reports: dict[str, PluginReport] = {}
        self.warned: set[tuple[str, str]] = set()
        """The pairs of plugins that the operator was warned of."""

    def add(self, report: PluginReport, plugin: object) -> None:
        """Register `plugin`. Raises what pluggy raises for a misspelt hook or a wrong signature."""
        self.reports[report.name] = report
        misspelt = sorted(set(_implementations(plugin)) - set(_specifications()))
        if misspelt:
            raise PluginError(f"implements hooks that do not exist: {', '.join(misspelt)}{_suggestion(misspelt[0])}")
        if unmarked := sorted(set(_specifications()) & set(dir(plugin)) - set(_implementations(plugin))):
            raise PluginError(f"does not mark {', '.join(unmarked)} with @hookimpl")
        if not _implementations(plugin):
            raise PluginError("implements no hook: mark its functions with @hookimpl")
        if odd := [name for name in _implementations(plugin) if not _is_plain(getattr(plugin, name))]:
            raise PluginError(f"implements {', '.join(odd)} as a coroutine or wrapper: hooks are plain functions")
        for name in _implementations(plugin):
            _check_place(name, place_of(getattr(plugin, name)))
        self.manager.register(plugin, name=report.name)

    def quarantine(
        self, name: str, reason: str, state: PluginState = PluginState.QUARANTINED, *, plugin: object = None
    ) -> None:
        """Take a plugin out of service, and say why; `plugin` is one that could not be registered.

        Raises `PluginError` for one that guards requests, or means to.
        """
        guards = any(owner == name for hook in GUARDS for owner, _ in self.implementations(hook))
        if guards or _means_to_guard(plugin):
            message = f"Plugin '{name}': {reason}. It may guard requests, so the server does not start without it."
            raise PluginError(message)
        report = self.reports[name]
        report.state, report.reason = state, reason
        if self.manager.has_plugin(name):
            self.manager.unregister(name=name)
        log.error("plugin %s is %s: %s", name, state, reason)

    def active(self) -> list[str]:
        """The names of the plugins in service, sorted, core's own first."""
        return sorted((name for name, _ in self.manager.list_name_plugin()), key=_core_first)

    def ask(self, plugin: str, hook: str, **arguments: Any) -> Any:
        """One plugin's answer to a hook; `None` when it does not implement it."""
        found = dict(self.implementations(hook))
        return found[plugin](**arguments) if plugin in found else None

    def implementations(self, hook: str) -> list[tuple[str, Callable[..., Any]]]:
        """Each active plugin's implementation of `hook`, sorted by plugin name, the core's own first.

        The functions take the hook's arguments by name, like the hook itself.
        """
        found = getattr(self.manager.hook, hook).get_hookimpls()
        return sorted(((impl.plugin_name, _by_name(impl)) for impl in found), key=lambda pair: _core_first(pair[0]))


def _core_first(name: str) -> tuple[bool, str]:
    return name != OWN, name


def _by_name(impl: pluggy.HookImpl) -> Callable[..., Any]:
    @wraps(impl.function)
    def call(**arguments: Any) -> Any:
        return impl.function(*(arguments[name] for name in impl.argnames))

    return call


def _check_place(hook: str, place: Place | None) -> None:
    if place is not None and place not in get_args(Place):
        raise PluginError(f"marks {hook} with nests={place!r}, which is none of 'outside', 'inside' or 'anywhere'")
    if place is not None and hook not in WRAPS:
        raise PluginError(f"says how {hook} nests, which wraps nothing")


def _specifications() -> list[str]:
    return [name for name in vars(hookspecs) if name.startswith("ovms_")]


def _implementations(plugin: object) -> list[str]:
    marker = f"{hookspecs.PROJECT}_impl"
    return [name for name in dir(plugin) if hasattr(getattr(plugin, name, None), marker)]


def _is_plain(implementation: Any) -> bool:
    options = getattr(implementation, f"{hookspecs.PROJECT}_impl")
    wraps = options["wrapper"] or options["hookwrapper"]
    return not (wraps or inspect.iscoroutinefunction(implementation) or inspect.isasyncgenfunction(implementation))


def _means_to_guard(plugin: object) -> bool:
    """Whether a plugin has a hook that guards requests, marked or not, or misspells one."""
    names = {*_implementations(plugin), *(set(GUARDS) & set(dir(plugin)))}
    return any(get_close_matches(name, _specifications(), n=1)[:1] == [hook] for name in names for hook in GUARDS)


def _suggestion(name: str) -> str:
    close = get_close_matches(name, _specifications(), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
