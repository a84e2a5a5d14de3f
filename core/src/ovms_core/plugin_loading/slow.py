"""Tells which plugin holds up the start, while it does."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ovms_core.tracebacks import frame_place

log = logging.getLogger("ovms.plugins.slow")

PATIENCE: Final = 5.0
"""Seconds that a plugin may take for its import, or for a hook, without a word."""


@contextmanager
def told_if_slow(plugin: str, doing: str, patience: float | None = None) -> Iterator[None]:
    """Log where `plugin` is if what runs here is not done in time; it goes on all the same."""
    timer = threading.Timer(PATIENCE if patience is None else patience, _tell, (plugin, doing, threading.get_ident()))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _tell(plugin: str, doing: str, thread: int) -> None:
    place = frame_place(sys._current_frames().get(thread))
    where = f" at {place}" if place else ""
    log.warning("plugin %s: %s is still not done%s: the server waits for it", plugin, doing, where)
