"""Finds, checks, registers and quarantines plugins."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Protocol

import pluggy
from importlib_metadata import EntryPoint, entry_points
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import ovms_core
from ovms_core import hookspecs
from ovms_core.errors import PluginError
from ovms_core.plugin_loading.failure import Failure, failure_of
from ovms_core.plugin_loading.host import OWN, PluginHost
from ovms_core.plugin_loading.slow import told_if_slow
from ovms_core.plugin_report import PluginReport, PluginState

log = logging.getLogger("ovms.plugins")

GROUP = hookspecs.PROJECT
CORE = "ovms-core"


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


class _Distribution(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def requires(self) -> list[str] | None: ...


def load_plugins(
    settings: PluginSelection, plugins: Sequence[object] | None = None, *, examined: bool = False
) -> PluginHost:
    """The host with core's own plugin and, unless `plugins` are given instead, all that are installed.

    A plugin that cannot be imported, fits no hook or needs another core is set aside with its reason.
    Raises `PluginError` when two distributions use one name, or a required plugin or one that guards requests does not
    work; where plugins are only `examined`, the last two stand in the host's `stops`.
    """
    host = PluginHost(examined=examined)
    from ovms_core import builtin

    host.add(PluginReport(OWN, CORE, ovms_core.__version__), builtin.CorePlugin())
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
    """The name of a plugin that no entry point names: ``my-notes`` for ``ovms_my_notes`` or ``ovms_my_notes.hooks``."""
    name = str(getattr(plugin, "__name__", type(plugin).__name__))
    if name.endswith(".hooks"):
        name = name.removesuffix(".hooks").rpartition(".")[2]
    return name.removeprefix("ovms_").replace("_", "-") if name.startswith("ovms_") else name


def require(host: PluginHost, settings: PluginSelection) -> None:
    """Stop the start unless every plugin that the operator requires is active."""
    for name in settings.required:
        report = host.reports.get(name)
        if report is None:
            host.stop(f"Plugin '{name}' is required (plugins.required) but not installed.")
        elif report.state is not PluginState.ACTIVE:
            host.stop(f"Plugin '{name}' is required (plugins.required) but {report.state}: {report.reason}")


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
        host.quarantine(entry.name, _unfit(report.distribution, needed), PluginState.INCOMPATIBLE)
        return
    try:
        with told_if_slow(entry.name, f"the import of {entry.module}"):
            plugin: ModuleType = entry.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a failure in Rust, for example, is no `Exception`
        host.quarantine(entry.name, failure_of(error, "cannot be imported"))
        return
    _register(host, report, plugin)


def _register(host: PluginHost, report: PluginReport, plugin: object) -> None:
    try:
        host.add(report, plugin)
    except (PluginError, pluggy.PluginValidationError, ValueError) as error:
        host.quarantine(report.name, Failure(str(error)), plugin=plugin)


def _name(distribution: _Distribution | None) -> str:
    return distribution.name if distribution is not None else "?"


def _unfit(distribution: str, needed: SpecifierSet) -> Failure:
    """A plugin that is made for later cores wants a later one; one for earlier cores must itself be a later one."""
    reason = f"needs {CORE}{needed}; this is {ovms_core.__version__}"
    ours = Version(ovms_core.__version__)
    wants_later = any("<" not in part.operator and Version(part.version.removesuffix(".*")) > ours for part in needed)
    return Failure(reason, advice=f"Run: pip install --upgrade {CORE if wants_later else distribution}")


def _incompatible(distribution: _Distribution | None) -> SpecifierSet | None:
    """The range of core versions that a distribution asks for, if ours is not in it."""
    for requirement in _requirements(distribution.requires if distribution else None):
        ours = canonicalize_name(requirement.name) == CORE and _applies(requirement)
        if ours and not requirement.specifier.contains(ovms_core.__version__, prereleases=True):
            return requirement.specifier
    return None


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _requirements(lines: Iterable[str] | None) -> Iterable[Requirement]:
    for line in lines or ():
        try:
            yield Requirement(line)
        except InvalidRequirement:
            continue
