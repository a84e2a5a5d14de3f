"""How far downloads have come: bars on a terminal, now and then a line elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from ovms_core.cli.output import shown_size

_LINE_EVERY = 0.25  # of the whole

Report = Callable[[int, int | None], None]


class Downloads:
    """Shows downloads, several at a time and from any thread, while it is entered."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = _bars(console) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    @contextmanager
    def of(self, name: str) -> Iterator[Report]:
        """The progress of one download. What is never reported on, because it is here already, is not shown."""
        if self._bars is None:
            yield _Lines(self._console, name)
            return
        bars, task = self._bars, self._bars.add_task(name, total=None, visible=False)
        yield lambda done, total: bars.update(task, completed=done, total=total, visible=True)


def _bars(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)


class _Lines:
    """A line at the start and at every quarter."""

    def __init__(self, console: Console, name: str) -> None:
        self._console, self._name = console, name
        self._next = 0.0

    def __call__(self, done: int, total: int | None) -> None:
        share = done / total if total else 0.0
        if share < self._next:
            return
        self._next = (share // _LINE_EVERY + 1) * _LINE_EVERY
        of = f" of {shown_size(total)}" if total else ""
        self._console.print(f"Fetching {self._name}: {shown_size(done)}{of}", soft_wrap=True)
