"""Tells which plugin holds up the start, while it does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from ovms_core.diagnostics.tracebacks import thread_place

log = logging.getLogger("ovms.plugins.slow")

PATIENCE: Final = 5.0
"""Seconds that a plugin may take for its import, or for a hook, without a word."""


@contextmanager
def told_if_slow(plugin: str, doing: str, where: Callable[[], str | None] | None = None) -> Iterator[None]:
    """Log `where` the plugin is if what runs here is not done in time; it goes on all the same.

    By default that is where this thread is.
    """
    thread = threading.get_ident()
    place = where or (lambda: thread_place(thread))
    timer = threading.Timer(PATIENCE, _tell, (plugin, doing, place))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _tell(plugin: str, doing: str, where: Callable[[], str | None]) -> None:
    place = where()
    message = "plugin %s delays the start: %s has been running for more than %g s%s"
    log.warning(message, plugin, doing, PATIENCE, f", and is at {place}" if place else "")
