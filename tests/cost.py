"""What a call costs, told apart from what else the machine does."""

from __future__ import annotations

import time
from collections.abc import Callable

TRIES = 3


def cost(call: Callable[[], object]) -> float:
    """Seconds of this thread's processor time that `call` takes: the least of some tries, as others only add to it."""
    return min(_once(call) for _ in range(TRIES))


def _once(call: Callable[[], object]) -> float:
    begun = time.thread_time()
    call()
    return time.thread_time() - begun
