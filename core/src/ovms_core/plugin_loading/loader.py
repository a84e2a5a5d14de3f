"""Finds, checks, registers and quarantines plugins."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import wraps
from types import ModuleType
from typing import Any, Protocol, get_args

import pluggy
from importlib_metadata import EntryPoint, entry_points
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

import ovms_core
from ovms_core import hookspecs
from ovms_core.errors import PluginError
from ovms_core.hookspecs import Place, place_of

log = logging.getLogger("ovms.plugins")

GROUP = hookspecs.PROJECT
CORE = "ovms-core"
OWN = "core"
"""The name of the core's own plugin, which always comes first."""
GUARDS = ("ovms_wrap_execution", "ovms_wrap_app", "ovms_wrap_server")
"""The hooks that wrap. A plugin with one may guard requests, so the server does not start without it."""


class PluginSelection(Protocol):
    """Which plugins are wanted, as `PluginSettings` says it."""

    @property
    def allow(self) -> list[str] | None: ...

    @property
    def block(self) -> list[str]: ...

    @property
    def required(self) -> list[str]: ...

    @property
    def order(self) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class _EveryPlugin:
    allow: list[str] | None = None
    block: list[str] = field(default_factory=list)
    required: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)


EVERY_PLUGIN: PluginSelection = _EveryPlugin()
"""All that are installed: the default of `PluginSettings`, without the price of importing it."""


class PluginState(StrEnum):
    """What became of a plugin."""

    ACTIVE = "active"
    BLOCKED = "blocked"
    INCOMPATIBLE = "incompatible"
    QUARANTINED = "quarantined"


@dataclass(slots=True)
class PluginReport:
    """A plugin as ``ovms plugins`` shows it; `reason` says why it is not active."""

    name: str
    distribution: str = ""
    version: str = ""
    state: PluginState = PluginState.ACTIVE
    reason: str = ""


class _Distribution(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def requires(self) -> list[str] | None: ...


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
    if place is not None and hook not in GUARDS:
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


def load_plugins(settings: PluginSelection, plugins: Sequence[object] | None = None) -> PluginHost:
    """The host with core's own plugin and, unless `plugins` are given instead, all that are installed.

    A plugin that cannot be imported, fits no hook or needs another core is set aside with its reason.
    Raises `PluginError` when two distributions use one name, or a required plugin does not work.
    """
    host = PluginHost()
    from ovms_core import builtin

    host.add(PluginReport(OWN, CORE, ovms_core.__version__), builtin)
    if plugins is None:
        for entry in _discover():
            _load(host, entry, settings)
        _warn_of_unknown(host, settings)
    else:
        for plugin in plugins:
            _register(host, PluginReport(name_of(plugin)), plugin)
    require(host, settings)
    return host


def _warn_of_unknown(host: PluginHost, settings: PluginSelection) -> None:
    """A name that nothing has chooses nothing: most likely it is misspelt, or a package's."""
    for setting, names in (("allow", settings.allow or ()), ("block", settings.block), ("order", settings.order)):
        for name in sorted(set(names) - set(host.reports)):
            known = ", ".join(sorted(host.reports))
            log.warning("plugins.%s: there is no plugin '%s'. Installed are %s.", setting, name, known)


def name_of(plugin: object) -> str:
    """The name of a plugin that was not found by an entry point."""
    return str(getattr(plugin, "__name__", type(plugin).__name__))


def require(host: PluginHost, settings: PluginSelection) -> None:
    """Raise `PluginError` unless every plugin that the operator requires is active."""
    for name in settings.required:
        report = host.reports.get(name)
        if report is None:
            raise PluginError(f"Plugin '{name}' is required (plugins.required) but not installed.")
        if report.state is not PluginState.ACTIVE:
            raise PluginError(f"Plugin '{name}' is required (plugins.required) but {report.state}: {report.reason}")


def _discover() -> list[EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        if entry.name == OWN:
            raise PluginError(f"Distribution '{_name(entry.dist)}' names its plugin 'core': that name is taken.")
        other = found.setdefault(entry.name, entry)
        if other is not entry and _name(other.dist) != _name(entry.dist):
            both = f"'{_name(other.dist)}' and '{_name(entry.dist)}'"
            raise PluginError(f"Two distributions provide a plugin named '{entry.name}': {both}. Uninstall one.")
    return list(found.values())


def _load(host: PluginHost, entry: EntryPoint, settings: PluginSelection) -> None:
    report = PluginReport(entry.name, _name(entry.dist), entry.dist.version if entry.dist else "")
    host.reports[entry.name] = report
    if entry.name in settings.block or (settings.allow is not None and entry.name not in settings.allow):
        report.state, report.reason = PluginState.BLOCKED, "by the configuration (plugins)"
        return
    if (needed := _incompatible(entry.dist)) is not None:
        reason = f"needs {CORE}{needed}; this is {ovms_core.__version__}"
        host.quarantine(entry.name, reason, PluginState.INCOMPATIBLE)
        return
    try:
        plugin: ModuleType = entry.load()
    except (Exception, SystemExit) as error:
        host.quarantine(entry.name, f"cannot be imported: {type(error).__name__}: {error}")
        return
    _register(host, report, plugin)


def _register(host: PluginHost, report: PluginReport, plugin: object) -> None:
    try:
        host.add(report, plugin)
    except (PluginError, pluggy.PluginValidationError, ValueError) as error:
        host.quarantine(report.name, str(error), plugin=plugin)


def _name(distribution: _Distribution | None) -> str:
    return distribution.name if distribution is not None else "?"


def _incompatible(distribution: _Distribution | None) -> str | None:
    """The range of core versions that a distribution asks for, if ours is not in it."""
    for requirement in _requirements(distribution.requires if distribution else None):
        ours = canonicalize_name(requirement.name) == CORE and _applies(requirement)
        if ours and not requirement.specifier.contains(ovms_core.__version__, prereleases=True):
            return str(requirement.specifier)
    return None


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _requirements(lines: Iterable[str] | None) -> Iterable[Requirement]:
    for line in lines or ():
        try:
            yield Requirement(line)
        except InvalidRequirement:
            continue
