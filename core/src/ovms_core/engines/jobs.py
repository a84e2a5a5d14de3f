"""An engine for long jobs that are done one at a time, such as drawing a picture."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

from ovms_core.engines.base import DONE, Done, Engine, Gain
from ovms_core.errors import RequestError
from ovms_core.messages import Event, ModelSpec

__all__ = ["JobEngine", "Progress"]

STEP_SECONDS: Final = 0.05
"""How long a step waits for something to report: the worker takes in cancellations between steps."""

CLOSE_SECONDS: Final = 10.0


class Progress(Protocol):
    """Handed to `JobEngine.run`, which calls it as often as it can stop."""

    def __call__(self, event: Event | Callable[[], Event] | None = None, /) -> bool:
        """Pass `event` on, if there is one. True means: nobody wants the rest, return soon.

        Each call, with an event or without, says that the job goes forward: see `JobEngine`.

        An event that takes a while to make, such as a picture that must become a file, may be given as a
        function: it is called on another thread while the job goes on, and the next one begins. Events keep
        their order, and what the function raises is as if `run` raised it.

        Never raises, so it can be called from a callback of native code.
        """


_Report = Event | Callable[[], Event]


@dataclass(slots=True)
class _Job:
    id: int
    request: Any
    cancelled: threading.Event = field(default_factory=threading.Event)


class JobEngine(Engine):
    """Runs one job at a time on a thread of its own, in the order of arrival.

    The author writes `run`, and calls ``super().__init__(model)`` once the model is loaded. What `run`
    raises is as in `Engine.step`: `RequestError` is the request's, anything else is the engine's death.

    A job that neither calls `progress` nor ends for the model's `step_timeout` counts as hung.

    Example::

        class Countdown(JobEngine):
            def run(self, request: Count, progress: Progress) -> None:
                for number in range(request.start, 0, -1):
                    if progress(Counted(number)):
                        return
    """

    def __init__(self, model: ModelSpec) -> None:
        self._reported = False
        self._jobs: dict[int, _Job] = {}
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._gains: SimpleQueue[tuple[_Job, _Report | Gain | BaseException]] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"jobs-{model.name}", daemon=True)
        self._thread.start()

    @abstractmethod
    def run(self, request: Any, progress: Progress) -> None:
        """Do a whole job, giving its events to `progress`; return when it is complete or not wanted any more."""

    def add(self, id: int, request: Any) -> None:
        job = self._jobs[id] = _Job(id, request)
        self._queue.put(job)

    def cancel(self, id: int) -> None:
        job = self._jobs.pop(id, None)
        if job is not None:
            job.cancelled.set()

    def step(self) -> Iterable[tuple[int, Gain]]:
        """What the running job gained; nothing after `STEP_SECONDS` in which it gained nothing."""
        for job, report in self._waiting_gains():
            if isinstance(report, BaseException) and not isinstance(report, RequestError):
                raise report
            if job.cancelled.is_set():
                continue
            gain = _made(report)
            if not isinstance(gain, Event):
                self.cancel(job.id)
            yield job.id, gain

    def progressed(self) -> bool:
        reported, self._reported = self._reported, False
        return reported

    def in_flight(self) -> Collection[int]:
        return self._jobs.keys()

    def close(self) -> None:
        """Stop the running job at its next report and end the thread."""
        for id in list(self._jobs):
            self.cancel(id)
        self._queue.put(None)
        self._thread.join(CLOSE_SECONDS)

    def _waiting_gains(self) -> Iterator[tuple[_Job, _Report | Gain | BaseException]]:
        try:
            yield self._gains.get(timeout=STEP_SECONDS)
            while True:
                yield self._gains.get_nowait()
        except Empty:
            return

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            if not job.cancelled.is_set():
                self._gains.put((job, self._outcome(job)))

    def _outcome(self, job: _Job) -> Gain | BaseException:
        def progress(event: _Report | None = None, /) -> bool:
            self._reported = True
            if event is not None:
                self._gains.put((job, event))
            return job.cancelled.is_set()

        self._reported = True
        try:
            self.run(job.request, progress)
        except BaseException as error:  # not swallowed: `step` raises it on the engine's thread
            return error
        finally:
            self._reported = True
        return DONE


def _made(report: _Report | Gain) -> Gain:
    """The gain, made here and now if it was left to be made."""
    if isinstance(report, Event | Done | RequestError):
        return report
    try:
        return report()
    except RequestError as error:
        return error
