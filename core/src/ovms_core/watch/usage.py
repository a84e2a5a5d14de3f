"""How much of a processor a thread got, and how long it was kept waiting for one."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import NamedTuple


class Usage(NamedTuple):
    """Seconds since the thread began: those that it `ran`, and those in which it could have but had no processor."""

    ran: float
    waited: float


class ThreadUsage:
    """The usage of the thread that makes it, for others to read.

    Where the system does not tell (any but Linux) it counts as never kept waiting; on macOS as never run.
    """

    def __init__(self) -> None:
        self._file = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
        self._thread = threading.get_ident()

    def read(self) -> Usage:
        """The usage so far (https://docs.kernel.org/scheduler/sched-stats.html)."""
        try:
            ran, waited, _ = self._file.read_text("ascii").split()
        except (OSError, ValueError):
            return Usage(self._processor_seconds(), 0.0)
        return Usage(int(ran) / 1e9, int(waited) / 1e9)

    def _processor_seconds(self) -> float:
        if not hasattr(time, "pthread_getcpuclockid"):
            return 0.0
        return time.clock_gettime(time.pthread_getcpuclockid(self._thread))
