"""Requests that are prepared for an engine on threads of their own, while it steps: see `Engine.prepare`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final

from ovms_core.engine import Engine

_THREADS: Final = 2
"""Few: more would take the processor from the engine, and Python runs one of them at a time."""

Outcome = tuple[int, Any, BaseException | None]
"""A request's id, and what `prepare` made of it or why that failed."""


class RequestPreparer:
    """Prepares requests for `engine`. `on_end` is called on another thread when `ended` has something new."""

    def __init__(self, engine: Engine, on_end: Callable[[], None]) -> None:
        self._prepare = engine.prepare
        self._on_end = on_end
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="prepare")
        self._running: dict[int, Future[Any]] = {}
        self._ended: SimpleQueue[tuple[int, Future[Any]]] = SimpleQueue()

    def start(self, id: int, request: Any) -> None:
        """Prepare `request`, when a thread is free."""
        future = self._running[id] = self._threads.submit(self._prepare, request)
        future.add_done_callback(partial(self._end, id))

    def cancel(self, id: int) -> None:
        """Forget a request, if it is being prepared."""
        future = self._running.pop(id, None)
        if future is not None:
            future.cancel()

    def ended(self) -> Iterator[Outcome]:
        """The requests whose preparation has ended since the last call."""
        while True:
            try:
                id, future = self._ended.get_nowait()
            except Empty:
                return
            if self._running.pop(id, None) is not None:
                yield (id, *_outcome(future))

    def close(self) -> None:
        """Drop what waits for a thread, and wait for what runs: it may use what the engine is about to free."""
        self._threads.shutdown(cancel_futures=True)

    def _end(self, id: int, future: Future[Any]) -> None:
        self._ended.put((id, future))
        self._on_end()


def _outcome(future: Future[Any]) -> tuple[Any, BaseException | None]:
    error = future.exception()
    return (None, error) if error else (future.result(), None)
