"""Tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

_PIPED_WIDTH = 240
_STYLES = {
    **dict.fromkeys(("ready", "active", "ok", "yes"), "green"),
    **dict.fromkeys(("queued", "loading", "warn", "blocked", "unloaded", "degraded", "partial"), "yellow"),
    **dict.fromkeys(("failed", "fail", "incompatible", "quarantined", "no"), "red"),
}


def open_console(*, stderr: bool = False) -> Console:
    """A console; what is not a terminal gets plain lines that are wide enough not to be broken."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPED_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def print_table(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> None:
    """A table of `rows`; words that name a state have its colour. Without rows nothing is printed."""
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    console.print(Text(title, style="bold"), soft_wrap=True)  # as the table's own, it would be cut to its width
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(Text(column), overflow="fold", header_style="dim")
    for row in rows:
        table.add_row(*(Text(cell or "", style=_STYLES.get(cell or "", "")) for cell in row))
    console.print(table)
    console.print()


def print_json(document: Any) -> None:
    """`document` as indented JSON on stdout."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def shown_size(size: float) -> str:
    """Bytes for people: ``92.9 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
