"""Versions, plugins and pip."""

from __future__ import annotations

import importlib.util
import platform
import sys
from collections.abc import Iterator, Sequence

from importlib_metadata import PackageNotFoundError, version

from ovms_core.cli.installed import examined_plugins
from ovms_core.cli.probes.finding import Finding, fail, ok, warn
from ovms_core.configuration.errors import ConfigurationError
from ovms_core.errors import PluginError
from ovms_core.plugin_report import PluginReport, PluginState
from ovms_core.settings import Settings

_OLDEST_PYTHON = (3, 11)
_OPENVINO = ("openvino", "openvino-genai", "openvino-tokenizers")
_HF = ("huggingface_hub", "tokenizers", "transformers")


def python() -> Finding:
    """The Python that runs this."""
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < _OLDEST_PYTHON:
        return fail("python", found, "Use Python 3.11 or later.")
    return ok("python", found)


def packages() -> Iterator[Finding]:
    """The versions that matter when something is asked about."""
    for name in ("ovms-core", *_OPENVINO, *_HF):
        installed = _version(name)
        if installed:
            yield ok(name, installed)
        elif name == "openvino":
            yield warn(name, "not installed", "Install a plugin that brings it, such as: pip install ovms-llm")
    yield from _consistent({name: _version(name) for name in _OPENVINO})


def _consistent(versions: dict[str, str | None]) -> Iterator[Finding]:
    """OpenVINO's parts share a C++ interface, so their releases must be the same."""
    releases = {name: ".".join(installed.split(".")[:2]) for name, installed in versions.items() if installed}
    if len(set(releases.values())) > 1:
        found = ", ".join(f"{name} {release}" for name, release in releases.items())
        yield fail("openvino", f"releases differ: {found}", f"Run: pip install --upgrade {' '.join(releases)}")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def plugins(settings: Settings) -> Iterator[Finding]:
    """The installed plugins, as they load with `settings`."""
    try:
        host, _ = examined_plugins(settings)
    except (PluginError, ConfigurationError) as error:
        yield fail("plugins", str(error), "The server does not start until this is put right.")
        return
    yield from (fail("plugins", reason, "The server does not start until this is put right.") for reason in host.stops)
    reports = [report for report in host.reports.values() if report.name != "core"]
    yield from plugin_findings(reports)


def plugin_findings(reports: Sequence[PluginReport]) -> Iterator[Finding]:
    """A finding for every plugin, and one if there is none."""
    if not reports:
        yield warn("plugins", "none installed", "A server without plugins serves no models: pip install ovms-llm")
    for report in reports:
        subject, found = f"plugin {report.name}", f"{report.version} {report.state}"
        if report.state not in {PluginState.ACTIVE, PluginState.BLOCKED}:
            advice = [report.advice, "Or block it (plugins.block)."] if report.advice else ["Block it (plugins.block)."]
            yield fail(subject, f"{found}: {report.account}", ". ".join(advice))
        elif report.warnings:
            yield warn(subject, f"{found}: {report.account}", "It works without that. Ask its author.")
        else:
            yield ok(subject, f"{found} {report.reason}".strip())


def pip() -> Finding:
    """Models of the Python package index are downloaded with pip."""
    if importlib.util.find_spec("pip") is None:
        return warn("pip", "not available", "For models as pypi:NAME, run: python -m ensurepip")
    return ok("pip", _version("pip") or "available")
