"""How far a fetch has come, on its way from the fetch's thread to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from ovms_core.models.source import SourceError


class FetchReport:
    """The `FetchProgress` of one fetch: calls `tell` on the event loop with what there is to say, the latest only.

    However often a source reports, at most one call is on its way to the loop, and none that says the same again.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._latest = ""
        self._on_its_way = False
        self._stopped = False

    def stop(self) -> None:
        """Nobody wants the model any more: its fetch stops at its next report."""
        self._stopped = True

    def __call__(self, done: int, total: int | None, /) -> None:
        """Called on the fetch's thread. Raises `SourceError` once the fetch is to stop."""
        if self._stopped:
            raise SourceError("the fetch was stopped.")
        said = f"fetching, {done / total:.0%}" if total else f"fetching, {done >> 20} MiB"
        if said == self._latest:
            return
        self._latest = said
        if not self._on_its_way:
            self._on_its_way = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._on_its_way = False  # first, so that what is said from here on is delivered by another call
        if not self._stopped:
            self._tell(self._latest)
