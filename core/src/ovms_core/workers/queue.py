"""Which request goes to the engine next, and who is to blame when the engine dies."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

from ovms_core.workers.pending import PendingRequest

STABLE_SECONDS = 60.0
"""A request that lived this long in an engine since it was sent did not cause its death at once."""


class Queue:
    """The requests of one model: those that wait, those in flight in its engine, and those that are parked.

    A parked request waits for its own client to read, and holds neither a slot nor a place in the queue.

    After a death, the requests that were in flight are suspects. They go first, one at a time: the
    next one is sent when the last has gained something, so that a second death has one culprit.
    After a second death they run alone to their end. A request fails when it was in flight in two
    deaths in a row and only it can have caused the last one.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.slots = 1
        self.in_flight: dict[int, PendingRequest] = {}
        self.waiting: deque[PendingRequest] = deque()
        self.parked: set[PendingRequest] = set()
        self._pace = Pace()

    @property
    def full(self) -> bool:
        """Whether the next request must be turned away."""
        return len(self.waiting) >= self.limit + max(0, self.slots - len(self.in_flight))

    @property
    def retry_after(self) -> float:
        """Seconds in which half of the queue is likely to be served, from how fast requests have been ending."""
        return self._pace.seconds_for(len(self.waiting) // 2 + 1)

    def take_next(self) -> PendingRequest | None:
        """The next request for the engine, now in flight; `None` when none may go yet."""
        if not self.waiting or len(self.in_flight) >= self.slots or not self._may_go(self.waiting[0]):
            return None
        if not self.in_flight:
            self._pace.begin()
        pending = self.waiting.popleft()
        pending.fresh = True
        pending.sent_at = time.monotonic()
        self.in_flight[pending.id] = pending
        return pending

    def _may_go(self, head: PendingRequest) -> bool:
        if head.deaths > 1:
            return not self.in_flight
        return not any(pending.deaths > 1 or (pending.deaths and pending.fresh) for pending in self.in_flight.values())

    def end(self, id: int) -> PendingRequest | None:
        """Take a request that ended in the engine out of it."""
        pending = self.in_flight.pop(id, None)
        if pending is not None:
            self._pace.tick()
        return pending

    def park(self, pending: PendingRequest, new_id: int) -> None:
        """Set a request in flight aside. The engine may still have things to say of it, under its old id."""
        del self.in_flight[pending.id]
        pending.id = new_id
        self.parked.add(pending)

    def unpark(self, pending: PendingRequest) -> None:
        """Put a parked request back into the queue, behind those that wait."""
        self.parked.remove(pending)
        self.waiting.append(pending)

    def drop(self, pending: PendingRequest) -> bool:
        """Forget a request that nobody waits for any more; true when the engine has it."""
        if self.in_flight.pop(pending.id, None) is not None:
            return True
        self.parked.discard(pending)
        if pending in self.waiting:
            self.waiting.remove(pending)
        return False

    def bury(self, *, raised: bool) -> list[PendingRequest]:
        """The engine died: put what was in flight back in front; return the requests to blame.

        `raised` says that the engine raised an exception, which the same request would cause again.
        """
        requests = list(self.in_flight.values())
        self.in_flight.clear()
        for pending in requests:
            stable = time.monotonic() - pending.sent_at > STABLE_SECONDS
            pending.deaths = 1 if stable else pending.deaths + 1
        blamed = [pending for pending in _suspects(requests) if raised or pending.deaths > 1]
        cleared = [pending for pending in requests if pending not in blamed]
        if blamed:
            for pending in (*cleared, *self.waiting):
                pending.deaths = min(pending.deaths, 1)
        self.waiting.extendleft(reversed(cleared))
        return blamed

    def clear(self) -> Iterable[PendingRequest]:
        """Take out everything."""
        requests = [*self.in_flight.values(), *self.waiting, *self.parked]
        self.in_flight.clear()
        self.waiting.clear()
        self.parked.clear()
        return requests


def _suspects(requests: list[PendingRequest]) -> list[PendingRequest]:
    """The one request that must have caused a death, if there is just one that can have."""
    on_trial = [pending for pending in requests if pending.deaths > 1 and pending.fresh]
    candidates = on_trial or requests
    return candidates if len(candidates) == 1 else []


class Pace:
    """How fast requests end while there are some, smoothed over about the last sixteen."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._interval = 1.0

    def begin(self) -> None:
        """A request begins where there was none: how long there was none says nothing of the pace."""
        self._last = time.monotonic()

    def tick(self) -> None:
        """A request ended."""
        now = time.monotonic()
        self._interval += (now - self._last - self._interval) / 16
        self._last = now

    def seconds_for(self, count: int) -> float:
        """Seconds in which `count` requests are likely to end; between 1 and 60."""
        return min(60.0, max(1.0, count * self._interval))
