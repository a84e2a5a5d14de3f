"""Options that several subcommands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="The configuration file; by default ovms.yaml in this folder, if there is one."),
]
ModelRepository = Annotated[Path | None, typer.Option("--model-repository", help="The folder for downloaded models.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Url = Annotated[str, typer.Option("--url", help="The server's URL.")]
ApiKey = Annotated[str | None, typer.Option("--api-key", envvar="OVMS_API_KEY", help="The server's API key.")]

DEFAULT_URL = "http://127.0.0.1:8000"
