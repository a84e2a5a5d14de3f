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


class NobodyWaitsError(Exception):
    """Raised by `give_way` in work whose caller has been cancelled."""


class _Waiter:
    """Who awaits a piece of work; `gone` once it has been cancelled."""

    gone = False


class _Turn(threading.local):
    ends = float("inf")  # in a thread that is not ours nobody waits
    waiter = _Waiter()


_turn = _Turn()
_threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="off-loop")


async def off_loop(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `function` in a thread, and return or raise what it does. The event loop continues meanwhile.

    For work that grows with what a client has sent. All requests share two such threads, so `function` must not wait
    for anything. If it is a long loop in Python, or calls into C that take a millisecond each, let it call `give_way`
    there. When the caller is cancelled, work that has not begun is dropped, and `give_way` ends work that has.

    Example::

        width, height = await off_loop(size_of, picture)
    """
    work, waiter = copy_context().run, _Waiter()
    try:
        return await asyncio.get_running_loop().run_in_executor(
            _threads, work, lambda: _run(waiter, function, *args, **kwargs)
        )
    except asyncio.CancelledError:
        waiter.gone = True
        raise


def _run(waiter: _Waiter, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    _turn.ends, _turn.waiter = time.perf_counter() + _TURN, waiter
    try:
        return function(*args, **kwargs)
    except BaseException as error:
        if (failure := as_failure(error)) is error:
            raise
        raise failure from error


def give_way() -> None:
    """Let the event loop run, if this is a thread of `off_loop` that has worked for a millisecond.

    Raises `NobodyWaitsError`, which ends the work, if the caller of `off_loop` has been cancelled.
    """
    if time.perf_counter() > _turn.ends:
        if _turn.waiter.gone:
            raise NobodyWaitsError
        time.sleep(_PAUSE)
        _turn.ends = time.perf_counter() + _TURN
