"""A plugin that adds ``ovms greet``."""

import typer

from ovms_core.plugin import hookimpl


def greet(name: str) -> None:
    """Greet somebody."""
    typer.echo(f"Hello, {name}!")


@hookimpl
def ovms_register_commands(cli: typer.Typer) -> None:
    cli.command()(greet)
