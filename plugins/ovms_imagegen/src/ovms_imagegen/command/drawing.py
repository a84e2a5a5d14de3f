"""Draws on a server, shows how far it is, and writes the files."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from ovms_core.command import ServerError
from ovms_imagegen.command.blocks import half_blocks
from ovms_imagegen.command.stream_client import events


def draw(
    url: str, body: dict[str, Any], output: Path, *, api_key: str | None, preview: bool
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Ask the server at `url` for `body`; gives each file that was written, with its event.

    With `preview` the picture is shown in the terminal while it forms. Raises `ServerError`.
    """
    console = Console(stderr=True)
    shown = preview and console.is_terminal
    asked = {**body, "stream": True, "partial_images": 3 if shown else 0}
    view = _View(console, body["n"], shown=shown)
    written = []
    with Live(view, console=console, transient=True, auto_refresh=False) as live:
        for event in events(url, asked, api_key):
            view.update(event)
            live.refresh()
            if event["type"] == "image_generation.completed":
                written.append((_write(output, event, body["n"]), event))
    if len(written) < body["n"]:
        raise ServerError("The server ended the answer before the picture was complete.")
    yield from written


class _View:
    """A bar for the steps of all pictures, and under it what the current one looks like."""

    def __init__(self, console: Console, number: int, *, shown: bool) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
        self._progress = Progress(*columns, TimeRemainingColumn(), console=console)
        self._task: TaskID = self._progress.add_task("waiting", total=None)
        self._number = number
        self._picture = Text()
        self._width = min(console.width, 64) if shown else 0

    def __rich__(self) -> Group:
        return Group(self._progress, self._picture)

    def update(self, event: dict[str, Any]) -> None:
        """Take in an event of the stream."""
        if event["type"] == "progress":
            done = event["index"] * event["total"] + event["step"]
            total = event["total"] * self._number
            self._progress.update(self._task, description="drawing", completed=done, total=total)
        elif self._width and "b64_json" in event:
            self._picture = Text.from_ansi(half_blocks(base64.b64decode(event["b64_json"]), self._width))


def _write(output: Path, event: dict[str, Any], number: int) -> Path:
    index = event["index"] + 1
    file = output if number == 1 else output.with_stem(f"{output.stem}-{index}")
    try:
        file.write_bytes(base64.b64decode(event["b64_json"]))
    except OSError as error:
        raise ServerError(f"'{file}' cannot be written: {error.strerror}.") from None
    return file
