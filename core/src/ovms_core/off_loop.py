"""Work that takes its time, in a thread of its own, while the event loop goes on.

A thread alone is not enough: one call into C holds the interpreter for as long as it lasts. Long work is done a piece
at a time, and lets the event loop have its turn between two pieces.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, ParamSpec, TypeVar

from ovms_core.threads import as_failure

P = ParamSpec("P")
R = TypeVar("R")

_THREADS: Final = 2
"""More would not be faster, as they share one interpreter; the event loop would wait for each of them."""

_TURN: Final = 0.001
"""Seconds of work after which the event loop has its turn."""

_PAUSE: Final = 0.0001
"""Seconds that a turn takes at least: the interpreter goes to who waits for it, not back to who gave it away."""


class _Turn(threading.local):
    ends = float("inf")  # in a thread that is not ours nobody waits


_turn = _Turn()
_threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="off-loop")


async def off_loop(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `function` returns or raises, called in a thread while the event loop goes on.

    For work that grows with what a client has sent. There are two such threads, so it is no place to wait in. If
    `function` is a long loop in Python, or calls into C that take a millisecond each, let it call `give_way` there.

    Example::

        width, height = await off_loop(size_of, picture)
    """
    work = copy_context().run
    return await asyncio.get_running_loop().run_in_executor(_threads, work, lambda: _run(function, *args, **kwargs))


def _run(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    _turn.ends = time.perf_counter() + _TURN
    try:
        return function(*args, **kwargs)
    except BaseException as error:
        if (failure := as_failure(error)) is error:
            raise
        raise failure from error


def give_way() -> None:
    """Let the event loop have its turn, if this is a thread of `off_loop` and has worked for a millisecond."""
    if time.perf_counter() > _turn.ends:
        time.sleep(_PAUSE)
        _turn.ends = time.perf_counter() + _TURN
