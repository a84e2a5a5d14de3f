"""Signals that are heard whatever the event loop does, and an end that comes in any case."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Final

from ovms_core.watch.holder import holder_of

log = logging.getLogger("ovms")

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_LOGGING: Final = 1.0
"""Seconds for the last line of the log: nothing may keep the process from its end."""


@contextlib.contextmanager
def heard(listener: Callable[[], None]) -> Iterator[None]:
    """Call `listener`, in a thread of its own, for each SIGINT and SIGTERM until the block ends.

    Enter it in the main thread. Python's own handlers run in that thread, and not while it is in a call into C. The
    wakeup file descriptor is written to at once.
    """
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    descriptor = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    handlers = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    threading.Thread(target=_listen, args=(ours, listener), name="signals", daemon=True).start()
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(descriptor)
        theirs.close()


def _listen(wakeups: socket.socket, listener: Callable[[], None]) -> None:
    with wakeups:
        while numbers := wakeups.recv(64):
            for number in numbers:
                if number in SIGNALS:
                    listener()


class LastResort:
    """Ends the process when it does not end by itself. Make it on the event loop's thread, while it runs."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._loop = asyncio.get_running_loop()

    def end_in(self, seconds: float) -> None:
        """End the process then, should it still run: no plugin can keep it, in its clean-up or in a request."""
        timer = threading.Timer(seconds, self._end)
        timer.daemon = True
        timer.start()

    def _end(self) -> None:
        telling = threading.Thread(target=self._tell, daemon=True)
        telling.start()
        telling.join(_LOGGING)
        os._exit(1)

    def _tell(self) -> None:
        holder = holder_of(self._thread, self._loop)
        log.error(
            "something keeps the server from stopping%s: it is stopped now, with its workers",
            f" ({holder})" if holder is not None and holder.place else "",
        )
