"""Blocking calls beside the event loop that do not keep the process when it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import ParamSpec, TypeVar

from ovms_core.threads import as_failure

P = ParamSpec("P")
T = TypeVar("T")


class Background:
    """Runs each call on a thread of its own.

    The threads of `asyncio.to_thread` are waited for at the end of the process, however long the network hangs.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Future[object]] = set()

    async def run(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """The result of `function`, or what it raised; cancelling ends the wait, but not the call.

        Raises `CallEndedError` for what would end the server, or only the task that waits, instead of failing it.
        """
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                tell = partial(outcome.set_result, function(*arguments, **named))
            except BaseException as error:
                tell = partial(outcome.set_exception, as_failure(error))
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(tell)

        Thread(target=work, name=f"background:{function.__name__}", daemon=True).start()
        self._running.add(outcome)  # type: ignore[arg-type]
        outcome.add_done_callback(self._forget)
        return await asyncio.shield(outcome)

    async def finish(self, seconds: float) -> None:
        """Wait for the calls under way, but not for long."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    def _forget(self, outcome: asyncio.Future[T]) -> None:
        self._running.discard(outcome)
        outcome.exception()  # so that one that nobody waits for is not complained of
