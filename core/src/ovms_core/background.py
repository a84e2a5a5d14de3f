"""What plugins do in the background while the server runs: started again when it fails, cancelled at the end."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from prometheus_client import Counter

from ovms_core.diagnostics.tracebacks import author_summary, author_traceback

log = logging.getLogger("ovms.background")

_FIRST: Final = 1.0
_LONGEST: Final = 60.0
"""Seconds before a task that failed is started again: twice as many each time."""
_PATIENCE: Final = 5.0
"""Seconds that the tasks together may take to end."""


class BackgroundTasks:
    """The supervised tasks of one application. Used on the event loop only."""

    def __init__(self) -> None:
        self.restarts = Counter("ovms_task_restarts", "Failures of background tasks", ["task"], registry=None)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._open = False

    def open(self) -> None:
        """The server starts: tasks can be added."""
        self._open = True

    def start(self, function: Callable[[], Awaitable[Any]], name: str) -> None:
        """Run `function` until it returns or the server ends. Raises `TypeError`, `ValueError` and `RuntimeError`."""
        if not self._open:
            raise RuntimeError("background tasks can be started only while the server runs: do it in ovms_lifespan")
        if not _is_async(function):
            raise TypeError(f"the background task '{name}' needs an async function without arguments, not {function!r}")
        if name in self._tasks:
            raise ValueError(f"there is a background task '{name}' already: call this one something else")
        self.restarts.labels(name)
        self._tasks[name] = asyncio.create_task(self._supervise(function, name), name=name)

    async def close(self) -> None:
        """Cancel all tasks, and wait until they have ended."""
        self._open = False
        tasks = [*self._tasks.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_PATIENCE)
            for task in late:
                log.error("the background task '%s' does not end: it catches its cancellation", task.get_name())

    async def _supervise(self, function: Callable[[], Awaitable[Any]], name: str) -> None:
        loop, pause = asyncio.get_running_loop(), _FIRST
        while True:
            started = loop.time()
            try:
                await function()
            except (Exception, SystemExit, asyncio.CancelledError) as error:
                if _is_cancelled():
                    raise
                self.restarts.labels(name).inc()
                pause = _FIRST if loop.time() - started > _LONGEST else pause
                _tell(name, error, pause)
            else:
                log.info("the background task '%s' has ended", name)
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST)


def _is_async(function: Any) -> bool:
    target = getattr(function, "func", function)  # of a functools.partial
    return inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(type(target).__call__)


def _is_cancelled() -> bool:
    """Whether the current task is to end; if not, a `CancelledError` comes from something that it awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _tell(name: str, error: BaseException, pause: float) -> None:
    message = "the background task '%s' failed: %s. It is started again in %g s.\n%s"
    log.error(message, name, author_summary(error), pause, author_traceback(error))
