"""Examines an installed plugin."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from importlib_metadata import EntryPoint, entry_points
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ovms_core.app import Application, assemble
from ovms_core.cli.installed import tell_what_is_slow
from ovms_core.cli.plugin_kit.contract import contract_findings
from ovms_core.cli.probes.finding import Finding, fail, ok, warn
from ovms_core.configuration import ConfigurationError, read_settings
from ovms_core.errors import PluginError
from ovms_core.plugin_loading.failure import CORRECT
from ovms_core.plugin_loading.host import PluginHost
from ovms_core.plugin_loading.life import open_life
from ovms_core.plugin_loading.loader import CORE, EVERY_PLUGIN, GROUP, load_plugins
from ovms_core.plugin_report import PluginReport, PluginState
from ovms_core.routes.mounting import PREFIXES
from ovms_core.settings import PluginSettings, Settings
from ovms_core.testing.imports import ENGINES, HEAVY, imported_with

_OTHER_PREFIXES = tuple(f"{prefix}/" for prefix in PREFIXES[1:])


def examine_plugin(package: str, tests: Path | None) -> Iterator[Finding]:
    """What is found about `package`, the name of a distribution or of a plugin; `tests` has its contract tests."""
    logging.getLogger("ovms").addHandler(logging.NullHandler())  # it is all in the findings
    tell_what_is_slow()
    entries = _entries(package)
    if not entries:
        yield fail(
            "package",
            f"no installed package '{package}' has a plugin",
            f"Install it ('pip install -e .'), and name its hooks under [project.entry-points.{GROUP}].",
        )
        return
    for entry in entries:
        assert entry.dist is not None
        yield ok("package", f"{entry.dist.name} {entry.dist.version}, plugin '{entry.name}'")
        yield _requirement(entry)
        yield from _loading(entry)
    yield from contract_findings(entries[0], tests)


def _entries(package: str) -> list[EntryPoint]:
    name = canonicalize_name(package)
    found = [entry for entry in entry_points(group=GROUP) if entry.dist is not None]
    return [each for each in found if each.dist and name in (canonicalize_name(each.dist.name), each.name)]


def _requirement(entry: EntryPoint) -> Finding:
    """A range of versions: without an upper end the next core may break it, with `==` nobody can update."""
    assert entry.dist is not None
    needed = [need for need in map(Requirement, entry.dist.requires or ()) if canonicalize_name(need.name) == CORE]
    advice = f"Depend on a range, such as '{CORE}>=0.1,<0.2'."
    if not needed:
        return fail("requirement", f"it does not depend on {CORE}", advice)
    operators = {part.operator for need in needed for part in need.specifier}
    if operators & {"==", "==="} or not operators & {"<", "<=", "~="} or not operators & {">", ">=", "~="}:
        return warn("requirement", f"'{needed[0]}' is no range", advice)
    return ok("requirement", str(needed[0]))


def _loading(entry: EntryPoint) -> Iterator[Finding]:
    try:
        host = load_plugins(EVERY_PLUGIN, examined=True)
    except PluginError as error:
        yield fail("loading", str(error), "Put that right: the server does not start.")
        return
    report = host.reports[entry.name]
    if report.state is not PluginState.ACTIVE:
        yield fail("loading", f"{report.state}: {report.account}", f"{report.advice}.")
        return
    yield ok("loading", f"{report.state}")
    try:
        app = assemble(host, _settings())
    except (PluginError, ConfigurationError) as error:
        yield fail("server", str(error), "Put that right: the server does not start.")
        return
    report = host.reports[entry.name]
    if report.state is not PluginState.ACTIVE:
        yield fail("server", f"{report.state}: {report.account}", f"{report.advice}.")
        return
    yield from (warn("server", warning, "Look whether that is as you mean it.") for warning in report.warnings)
    if hasattr(entry.load(), "ovms_lifespan"):
        yield _life(host, report, app)
    yield _import(entry)
    yield _server(entry, app)


def _settings() -> Settings:
    """As ``ovms.yaml`` and the environment have them; but every plugin is loaded, and none is required."""
    settings = read_settings()
    everything = PluginSettings.model_validate({**settings.plugins.sections, "order": settings.plugins.order})
    return settings.model_copy(update={"plugins": everything})


def _section(app: Application, entry: EntryPoint) -> Mapping[str, Any] | None:
    return app.server.settings.plugins.sections.get(entry.name)


def _import(entry: EntryPoint) -> Finding:
    heavy = imported_with(entry.module) & HEAVY
    if heavy:
        advice = "Import inside the hook functions, and engines in the engine's module only."
        return fail("import", f"{entry.module} imports {', '.join(sorted(heavy))}", advice)
    return ok("import", f"{entry.module} imports nothing heavy")


def _server(entry: EntryPoint, app: Application) -> Finding:
    """What it has in a server with all that is installed."""
    if engines := imported_with(entry.module, registered=True, section=_section(app, entry)) & ENGINES:
        advice = "Import it in the engine's module only: that is loaded in the engine's own process."
        return fail("server", f"the server process imports {', '.join(sorted(engines))}", advice)
    own = [route for route in app.server.routes if route.owner == entry.name]
    paths = [f"{route.method} {route.path}" for route in own if not route.path.startswith(_OTHER_PREFIXES)]
    return ok("server", ", ".join(paths) or "no routes of its own")


def _life(host: PluginHost, report: PluginReport, app: Application) -> Finding:
    """What it has open while a server runs: the models are configured but not loaded, the other plugins not opened."""
    before = len(report.warnings)
    asyncio.run(_live(host, report.name, app))
    if report.state is not PluginState.ACTIVE:
        return fail("lifespan", report.account, f"{report.advice}.")
    if new := report.warnings[before:]:
        return fail("lifespan", "\n".join(filter(None, ("; ".join(new), report.traceback))), f"{CORRECT}.")
    return ok("lifespan", "what it has open while a server runs opens and closes")


async def _live(host: PluginHost, plugin: str, app: Application) -> None:
    background = app.server.background
    background.open()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(background.close)
        await open_life(stack, host, plugin, app)
        await background.close()
