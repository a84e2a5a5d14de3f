"""Notices when something holds the event loop, and says who."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import Final

from prometheus_client import Histogram

from ovms_core.watch.holder import Holder, holder_of
from ovms_core.watch.usage import ThreadUsage

log = logging.getLogger("ovms.loop")

HELD: Final = 0.25
"""Seconds without a turn for anybody else that are told."""

_BEAT: Final = 0.1
"""Seconds between two beats of the event loop, and between two looks at it while all is well."""

_LOOK: Final = 0.02
"""Seconds between two looks at an event loop that has missed its beat."""

_ADVICE: Final = "Await what takes time, or call it with asyncio.to_thread."


class LagWatch:
    """Watches the event loop of the thread that starts it, from a thread of its own.

    Time counts only as long as one task or callback runs, and only as far as the process could run: a machine that is
    suspended, or has no processor to spare, is nobody's fault.
    """

    def __init__(self, stalls: Histogram) -> None:
        self._stalls = stalls
        self._ended = threading.Event()
        self._beats = self._seen = 0
        self._holder: Holder | None = None
        self._held = 0.0
        self._told = False

    def start(self) -> None:
        """Begin, on the thread of the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._usage = ThreadUsage()
        self._beat()
        threading.Thread(target=self._watch, name="lag-watch", daemon=True).start()

    def stop(self) -> None:
        """End; what holds the loop then is not told."""
        self._ended.set()

    def _beat(self) -> None:
        self._beats += 1
        self._due = time.monotonic() + _BEAT
        if not self._ended.is_set():
            self._loop.call_later(_BEAT, self._beat)

    def _watch(self) -> None:
        looked, before = time.monotonic(), self._usage.read()
        while not self._ended.wait(pause := _LOOK if self._holder else _BEAT):
            now, usage = time.monotonic(), self._usage.read()
            elapsed, ran, waited = now - looked, usage.ran - before.ran, usage.waited - before.waited
            looked, before = now, usage
            starved = max(waited, elapsed - pause - ran)  # this thread slept too long, and the other did not run either
            self._look(now, elapsed - max(starved, 0.0))

    def _look(self, now: float, seconds: float) -> None:
        """Another `seconds` have passed that count."""
        holder = holder_of(self._thread, self._loop) if self._beats == self._seen else None
        self._seen = self._beats
        if holder is None or self._holder is None or holder.task is not self._holder.task:
            self._end_stall()
            seconds = min(seconds, now - self._due)  # of what was before nobody knows whose it was
        if holder is not None:
            self._go_on(holder, max(seconds, 0.0))

    def _go_on(self, holder: Holder, seconds: float) -> None:
        self._held += seconds
        if self._told:
            return
        self._holder = holder
        if self._held >= HELD:
            self._told = True
            if holder.place:
                log.warning("the event loop is blocked by %s: nothing else is served meanwhile. %s", holder, _ADVICE)

    def _end_stall(self) -> None:
        holder, held, told = self._holder, self._held, self._told
        self._holder, self._held, self._told = None, 0.0, False
        if holder is None or not told:
            return
        self._stalls.labels(holder.endpoint).observe(held)
        if holder.place:
            log.warning("the event loop was blocked for %.1f s by %s", held, holder)
