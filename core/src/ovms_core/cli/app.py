"""All subcommands in one command line, and what happens to an error that its user can put right."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from ovms_core.cli.chat.command import chat
from ovms_core.cli.doctor import doctor
from ovms_core.cli.models import models
from ovms_core.cli.plugin_kit import plugin
from ovms_core.cli.plugins import plugins
from ovms_core.cli.pull import pull
from ovms_core.cli.serve.command import serve

_COMMANDS = (serve, pull, models, plugins, doctor, chat)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``ovms`` with `arguments`, by default those of the process. Ends in `SystemExit`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        cli = create_cli()
        if _may_need_plugins(given):
            from ovms_core.cli.plugin_commands import add_plugin_commands

            add_plugin_commands(cli)
        cli(args=given, prog_name="ovms")
    except Exception as error:
        if not _can_be_put_right_by_the_user(error):
            raise
        typer.secho(f"ovms: {error}", err=True, fg="red")
        raise SystemExit(2) from None


def create_cli() -> typer.Typer:
    """The command line with the core's own subcommands."""
    cli = typer.Typer(name="ovms", no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
    cli.callback()(_ovms)
    for command in (*_COMMANDS, version):
        cli.command()(command)
    cli.add_typer(plugin, name="plugin")
    return cli


def version() -> None:
    """Print the version."""
    from ovms_core import __version__

    typer.echo(f"ovms {__version__}")


def _print_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


def _ovms(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Serve generative AI models on OpenVINO, with OpenAI- and Cohere-compatible HTTP."""


def _may_need_plugins(arguments: Sequence[str]) -> bool:
    """Whether a plugin's subcommand can be meant: loading plugins takes time, so our own go without."""
    command = next((argument for argument in arguments if not argument.startswith("-")), None)
    return "--version" not in arguments and command not in {"version", "plugin", *(own.__name__ for own in _COMMANDS)}


def _can_be_put_right_by_the_user(error: Exception) -> bool:
    from ovms_core.cli.client import ServerError
    from ovms_core.configuration import ConfigurationError
    from ovms_core.errors import PluginError
    from ovms_core.models.source import SourceError

    return isinstance(error, ConfigurationError | PluginError | SourceError | ServerError)
