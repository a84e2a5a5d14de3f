"""What a call costs, told apart from what else the machine does."""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable


def cost(call: Callable[[], object]) -> float:
    """Seconds of this thread's processor time that `call` takes: the least of three, as others only add to it."""
    return min(timeit.repeat(call, number=1, repeat=3, timer=time.thread_time))
