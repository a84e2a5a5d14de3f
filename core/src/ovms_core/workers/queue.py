"""Which request goes to the engine next, and who is to blame when the engine dies."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

from ovms_core.workers.job import Job

STABLE_SECONDS = 60.0
"""A request that lived this long in an engine since it was sent did not cause its death at once."""


class Queue:
    """The requests of one model: those that wait, and those in flight in its engine.

    After a death, the requests that were in flight are suspects. They go first, one at a time: the
    next one is sent when the last has gained something, so that a second death has one culprit.
    After a second death they run alone to their end. A request fails when it was in flight in two
    deaths in a row and only it can have caused the last one.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.slots = 1
        self.flying: dict[int, Job] = {}
        self.waiting: deque[Job] = deque()
        self._pace = Pace()

    @property
    def full(self) -> bool:
        """Whether the next request must be turned away."""
        return len(self.waiting) >= self.limit + max(0, self.slots - len(self.flying))

    @property
    def retry_after(self) -> float:
        """Seconds in which half of the queue is likely to be served, from how fast requests have been ending."""
        return self._pace.seconds_for(len(self.waiting) // 2 + 1)

    def take_next(self) -> Job | None:
        """The next request for the engine, now in flight; `None` when none may go yet."""
        if not self.waiting or len(self.flying) >= self.slots or not self._may_go(self.waiting[0]):
            return None
        if not self.flying:
            self._pace.begin()
        job = self.waiting.popleft()
        job.fresh = True
        job.sent_at = time.monotonic()
        self.flying[job.id] = job
        return job

    def _may_go(self, head: Job) -> bool:
        if head.deaths > 1:
            return not self.flying
        return not any(job.deaths > 1 or (job.deaths and job.fresh) for job in self.flying.values())

    def end(self, id: int) -> Job | None:
        """Take a request that ended in the engine out of it."""
        job = self.flying.pop(id, None)
        if job is not None:
            self._pace.tick()
        return job

    def drop(self, job: Job) -> bool:
        """Forget a request that nobody waits for any more; true when the engine has it."""
        if self.flying.pop(job.id, None) is not None:
            return True
        if job in self.waiting:
            self.waiting.remove(job)
        return False

    def bury(self, *, raised: bool) -> list[Job]:
        """The engine died: put what was in flight back in front; return the requests to blame.

        `raised` says that the engine raised an exception, which the same request would cause again.
        """
        jobs = list(self.flying.values())
        self.flying.clear()
        for job in jobs:
            stable = time.monotonic() - job.sent_at > STABLE_SECONDS
            job.deaths = 1 if stable else job.deaths + 1
        blamed = [job for job in _suspects(jobs) if raised or job.deaths > 1]
        cleared = [job for job in jobs if job not in blamed]
        if blamed:
            for job in (*cleared, *self.waiting):
                job.deaths = min(job.deaths, 1)
        self.waiting.extendleft(reversed(cleared))
        return blamed

    def clear(self) -> Iterable[Job]:
        """Take out everything."""
        jobs = [*self.flying.values(), *self.waiting]
        self.flying.clear()
        self.waiting.clear()
        return jobs


def _suspects(jobs: list[Job]) -> list[Job]:
    """The one request that must have caused a death, if there is just one that can have."""
    on_trial = [job for job in jobs if job.deaths > 1 and job.fresh]
    candidates = on_trial or jobs
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
