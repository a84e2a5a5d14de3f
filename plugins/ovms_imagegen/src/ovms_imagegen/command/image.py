"""``ovms image``: a picture from a running server, into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ovms_core.command import DEFAULT_URL, ApiKey, Url


def register(cli: typer.Typer) -> None:
    """Add the command to ``ovms``."""
    cli.command()(image)


def image(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="A description of the image.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file; its extension sets the format: png, jpeg or webp.")
    ],
    url: Url = DEFAULT_URL,
    model: Annotated[str | None, typer.Option(help="The model; only needed if there are several for images.")] = None,
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT; by default the model's own.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same image.")] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps.")] = None,
    guidance: Annotated[float | None, typer.Option(help="How closely to follow the prompt.")] = None,
    negative: Annotated[str | None, typer.Option(help="What the image should not contain.")] = None,
    number: Annotated[int, typer.Option("-n", min=1, help="How many images; their files are numbered.")] = 1,
    preview: Annotated[bool, typer.Option(help="Show the image while it is generated, in a terminal.")] = True,
    api_key: ApiKey = None,
) -> None:
    """Generate an image on a running server."""
    from ovms_imagegen.command.drawing import draw

    body: dict[str, Any] = {
        "prompt": prompt,
        "model": model,
        "size": size,
        "seed": seed,
        "num_inference_steps": steps,
        "guidance_scale": guidance,
        "negative_prompt": negative,
        "n": number,
        "output_format": _output_format(output),
    }
    for file, drawn in draw(url, body, output, api_key=api_key, preview=preview):
        typer.echo(f"{file} ({drawn['size']}, seed {drawn['seed']})")


def _output_format(file: Path) -> str:
    kinds = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
    kind = kinds.get(file.suffix.lower())
    if kind is None:
        raise typer.BadParameter(f"'{file.name}' must end in {', '.join(kinds)}", param_hint="--output")
    return kind
