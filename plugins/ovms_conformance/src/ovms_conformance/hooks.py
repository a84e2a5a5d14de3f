"""What the plugin registers: the command ``ovms conformance``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ovms_core.plugin import hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def ovms_register_commands(cli: typer.Typer) -> None:
    from ovms_conformance.command import conformance

    cli.command()(conformance)
