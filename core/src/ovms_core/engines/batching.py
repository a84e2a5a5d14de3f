"""`BatchEngine`: an engine whose author writes what one item costs and how a batch of them is run.

Made for models that compute every item in one pass: embeddings, rerank, classification. The batches form across all
requests in flight, and continuously: what is here runs at once, and what arrives meanwhile becomes the next batch. So
nothing ever waits for company: an idle engine starts at once, and a busy one has the length of a batch to gather more.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from ovms_core.engines.base import DONE, Engine, Gain
from ovms_core.engines.batch_queue import BatchLimits, BatchQueue, Entry, ItemT, Shapes
from ovms_core.errors import RequestError
from ovms_core.messages import Event

RequestT = TypeVar("RequestT")
ResultT = TypeVar("ResultT")

_PATIENCE = 0.005
"""Seconds that a step waits for a running batch before it lets the worker take in what has arrived."""

_PLENTY = 1
"""Budgets of tokens that must wait before a batch is formed ahead: a stream then goes on with it at once."""

_MAX_LENGTH = 512
"""The longest step of `Shapes` unless an engine says otherwise, in tokens: what most encoders take."""

_DRAW = 64
"""Items of one request that are prepared in one step."""

_DRAW_SECONDS = 0.05
"""Seconds in a step after which no further items are prepared: batches must be launched and clients heard."""


@dataclass(slots=True)
class _InFlight(Generic[RequestT, ItemT, ResultT]):
    request: RequestT
    source: Iterator[ItemT]
    results: list[Any] = field(default_factory=list)
    missing: int = 0
    drained: bool = False

    def complete(self) -> bool:
        return self.drained and not self.missing


class BatchEngine(Engine, Generic[RequestT, ItemT, ResultT]):
    """Derive from it with `split`, `cost`, `run`, `join` and `info`. Call `super().__init__` with the model's limits.

    Items must be hashable: equal items that are in flight together are computed once.

    Example::

        class Lengths(BatchEngine[Measure, str, int]):
            def __init__(self, model: ModelSpec) -> None:
                super().__init__(BatchLimits(Shapes.up_to(512), max_batch_tokens=2048))

            def info(self) -> EngineInfo:
                return EngineInfo(slots=64, device="CPU")

            def split(self, request: Measure) -> Iterable[str]:
                return request.texts

            def cost(self, item: str) -> int:
                return len(item)

            def run(self, items: Sequence[str]) -> Sequence[int]:
                return [len(item) for item in items]

            def join(self, request: Measure, results: Sequence[int]) -> Event:
                return Measured(list(results))
    """

    def __init__(self, limits: BatchLimits | None = None) -> None:
        self.limits = limits = limits or BatchLimits(Shapes.up_to(_MAX_LENGTH))
        self._queue: BatchQueue[ItemT] = BatchQueue(limits)
        self._in_flight: dict[int, _InFlight[RequestT, ItemT, ResultT]] = {}
        self._threads = ThreadPoolExecutor(limits.streams, thread_name_prefix="batch")
        self._ended: SimpleQueue[tuple[list[Entry[ItemT]], Future[Sequence[ResultT]]]] = SimpleQueue()
        self._started: list[Future[Sequence[ResultT]]] = []
        self._watched: Future[Sequence[ResultT]] | None = None

    @abstractmethod
    def split(self, request: RequestT) -> Iterable[ItemT]:
        """The items of a request. Raise `RequestError` when it cannot be served.

        It can be a generator, so that a large request is not prepared all at once.
        """

    @abstractmethod
    def cost(self, item: ItemT) -> int:
        """The length of an item in tokens, before padding."""

    @abstractmethod
    def run(self, items: Sequence[ItemT]) -> Sequence[ResultT]:
        """Compute a batch: one result for each item, in their order.

        Called on threads of its own, `limits.streams` at once, and should release the GIL while it computes.
        A `RequestError` fails the requests in the batch; whatever else it raises is the death of the engine. A batch
        that takes longer than the model's `step_timeout` counts as hung.
        """

    @abstractmethod
    def join(self, request: RequestT, results: Sequence[ResultT]) -> Event:
        """The event that answers a request, from the results of its items in their order."""

    def add(self, id: int, request: RequestT) -> None:
        self._in_flight[id] = _InFlight(request, iter(self.split(request)))

    def cancel(self, id: int) -> None:
        request = self._in_flight.pop(id, None)
        if request is not None:
            self._queue.leave(id, waits=request.missing > 0)

    def step(self) -> Iterable[tuple[int, Gain]]:
        gains = list(self._draw())
        self._launch()
        for batch, future in self._wait(_PATIENCE if self._started and not gains else 0):
            gains += self._deliver(batch, future)
        self._launch()
        return gains

    def progressed(self) -> bool:
        """Whether the oldest batch has ended since the last call: the others do not hide one that hangs."""
        watched, self._watched = self._watched, self._started[0] if self._started else None
        return self._watched is None or self._watched is not watched

    def in_flight(self) -> Collection[int]:
        return self._in_flight.keys()

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def _draw(self) -> Iterator[tuple[int, Gain]]:
        """Prepare what has arrived, as much of each request as its share of the window, the least prepared first."""
        sources = [(id, request) for id, request in self._in_flight.items() if not request.drained]
        sources.sort(key=lambda source: source[1].missing)
        share = max(1, self.limits.window // max(1, len(sources)))
        deadline = time.monotonic() + _DRAW_SECONDS
        for id, request in sources:
            if time.monotonic() > deadline:
                return
            try:
                self._draw_from(id, request, min(_DRAW, share - request.missing), deadline)
            except RequestError as error:
                self.cancel(id)
                yield id, error
            else:
                yield from self._completed(id)

    def _draw_from(self, id: int, request: _InFlight[RequestT, ItemT, ResultT], count: int, deadline: float) -> None:
        for _ in range(count):
            item = next(request.source, None)
            if item is None:
                request.drained = True
                return
            self._queue.add(item, self.cost(item), (id, len(request.results)))
            request.results.append(None)
            request.missing += 1
            if time.monotonic() > deadline:
                return

    def _launch(self) -> None:
        """Start batches while a stream is free and something waits; one more may be ready for the next stream."""
        while self._wants_batch() and (batch := self._queue.form(self._free_streams())):
            future = self._threads.submit(self.run, [entry.item for entry in batch])
            self._started.append(future)
            future.add_done_callback(partial(self._end, batch))

    def _wants_batch(self) -> bool:
        """Whether a stream is free, or so much waits that the next batch would not be better for more."""
        free = self._free_streams()
        return free > 0 or (free == 0 and self._queue.tokens >= _PLENTY * self.limits.max_batch_tokens)

    def _free_streams(self) -> int:
        return self.limits.streams - len(self._started)

    def _end(self, batch: list[Entry[ItemT]], future: Future[Sequence[ResultT]]) -> None:
        self._ended.put((batch, future))

    def _wait(self, seconds: float) -> Iterator[tuple[list[Entry[ItemT]], Future[Sequence[ResultT]]]]:
        """The batches that have ended; waits for the first for at most `seconds`."""
        try:
            yield self._ended.get(block=seconds > 0, timeout=seconds)
            while True:
                yield self._ended.get(block=False)
        except Empty:
            return

    def _deliver(self, batch: list[Entry[ItemT]], future: Future[Sequence[ResultT]]) -> Iterator[tuple[int, Gain]]:
        self._started.remove(future)
        self._queue.finish(batch)
        owners = {id for entry in batch for id, _ in entry.owners}
        try:
            results = future.result()
        except RequestError as error:
            for id in owners:
                self.cancel(id)
                yield id, error
            return
        for entry, result in zip(batch, results, strict=True):
            for id, index in entry.owners:
                self._in_flight[id].results[index] = result
                self._in_flight[id].missing -= 1
        for id in owners:
            yield from self._completed(id)

    def _completed(self, id: int) -> Iterator[tuple[int, Gain]]:
        request = self._in_flight[id]
        if not request.complete():
            return
        self.cancel(id)
        try:
            yield id, self.join(request.request, request.results)
        except RequestError as error:
            yield id, error
        else:
            yield id, DONE
