"""Subcommands that plugins add to ``ovms``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ovms_core.paths import is_there

if TYPE_CHECKING:
    from ovms_core.plugin_loading.loader import PluginSelection


def add_plugin_commands(cli: typer.Typer) -> None:
    """Let every plugin add its subcommands. One that fails is skipped, with a warning."""
    from ovms_core.cli.installed import load_quietly
    from ovms_core.errors import PluginError

    settings = _plugin_settings()
    if settings is None:
        return
    try:
        host = load_quietly(settings)
    except PluginError as error:
        _warn(f"the subcommands of plugins are left out: {error}")
        return
    for name, register in host.implementations("ovms_register_commands"):
        try:
            register(cli=cli)
        except PluginError as error:
            _warn(f"plugin {name} adds no subcommands: {error}")


def _plugin_settings() -> PluginSelection | None:
    """What the operator blocks stays blocked here; `None` when that cannot be read."""
    if not _is_configured():  # reading settings takes time, and help should not
        from ovms_core.plugin_loading.loader import EVERY_PLUGIN

        return EVERY_PLUGIN
    from ovms_core.configuration import ConfigurationError, read_settings

    try:
        return read_settings().plugins
    except ConfigurationError as error:
        _warn(f"the subcommands of plugins are left out: {error}")
        return None


def _is_configured() -> bool:
    return is_there(Path("ovms.yaml")) or any(name.startswith(("OVMS_PLUGINS", "OVMS_CONFIG")) for name in os.environ)


def _warn(message: str) -> None:
    typer.secho(f"ovms: {message}", err=True, fg="yellow")
