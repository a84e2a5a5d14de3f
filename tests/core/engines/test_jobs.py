"""The adapter for engines that do one long job at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ovms_core.engine import DONE, EngineInfo, Event, Gain, JobEngine, ModelSpec, Progress, Request, RequestError
from ovms_core.engines.jobs import STEP_SECONDS


class Count(Request, kw_only=True):
    upto: int
    gate: Any = None
    error: Any = None


class Breaking(Count, kw_only=True):
    """Its job breaks the engine when it is cancelled."""


class Counted(Event):
    number: int


class Counting(JobEngine):
    """Counts; a request's `gate`, if any, is waited for before each number."""

    def __init__(self) -> None:
        super().__init__(ModelSpec(name="counting", task="counting", path="", work_dir=""))
        self.reported: list[int] = []
        self.begun = threading.Event()
        self.left = threading.Event()

    def info(self) -> EngineInfo:
        return EngineInfo(slots=4, device="CPU")

    def run(self, request: Count, progress: Progress) -> None:
        self.begun.set()
        for number in range(request.upto):
            if request.gate is not None:
                request.gate.acquire()
            self.reported.append(number)
            if progress(Counted(number)):
                self.left.set()
                if isinstance(request, Breaking):
                    raise ZeroDivisionError
                return
        if request.error is not None:
            raise request.error


@pytest.fixture
def engine() -> Iterator[Counting]:
    engine = Counting()
    yield engine
    engine.close()


def run_until(engine: JobEngine, enough: Callable[[list[tuple[int, Gain]]], bool]) -> list[tuple[int, Gain]]:
    gains: list[tuple[int, Gain]] = []
    deadline = time.monotonic() + 20
    while not enough(gains):
        assert time.monotonic() < deadline, gains
        gains.extend(engine.step())
    return gains


def engine_is_cancelled(engine: Counting) -> None:
    """Wait until `close` has cancelled what was in flight."""
    deadline = time.monotonic() + 20
    while engine._jobs and time.monotonic() < deadline:
        threading.Event().wait(0.001)


def ended(*ids: int) -> Callable[[list[tuple[int, Gain]]], bool]:
    return lambda gains: set(ids) <= {id for id, gain in gains if not isinstance(gain, Event)}


def test_jobs_run_one_after_the_other_in_the_order_of_arrival(engine: Counting) -> None:
    engine.add(7, Count(upto=2))
    engine.add(3, Count(upto=1))
    gains = run_until(engine, ended(7, 3))
    assert [(id, getattr(gain, "number", gain)) for id, gain in gains] == [(7, 0), (7, 1), (7, DONE), (3, 0), (3, DONE)]


def test_a_step_with_nothing_to_report_returns_soon_so_that_cancellations_are_heard(engine: Counting) -> None:
    gate = threading.Semaphore(0)
    engine.add(1, Count(upto=1, gate=gate))
    start = time.monotonic()
    assert list(engine.step()) == []
    assert time.monotonic() - start < STEP_SECONDS + 1
    gate.release()
    run_until(engine, ended(1))


def test_a_cancelled_job_learns_it_at_its_next_report_and_says_nothing_more(engine: Counting) -> None:
    gate = threading.Semaphore(1)
    engine.add(1, Count(upto=1000, gate=gate))
    run_until(engine, lambda gains: len(gains) == 1)
    engine.cancel(1)
    engine.add(2, Count(upto=1))
    gate.release()
    gains = run_until(engine, ended(2))
    assert engine.left.is_set()
    assert {id for id, _ in gains} == {2}


def test_a_job_cancelled_before_its_turn_never_runs(engine: Counting) -> None:
    gate = threading.Semaphore(0)
    engine.add(1, Count(upto=1, gate=gate))
    engine.add(2, Count(upto=1000))
    engine.add(3, Count(upto=1))
    engine.cancel(2)
    gate.release()
    run_until(engine, ended(1, 3))
    assert engine.reported == [0, 0]


def test_cancelling_what_is_done_or_unknown_does_nothing(engine: Counting) -> None:
    engine.add(1, Count(upto=1))
    run_until(engine, ended(1))
    engine.cancel(1)
    engine.cancel(99)
    engine.add(2, Count(upto=1))
    run_until(engine, ended(2))


def test_a_request_error_is_the_requests_and_the_next_job_runs(engine: Counting) -> None:
    engine.add(1, Count(upto=1, error=RequestError("too many sheep", param="upto")))
    engine.add(2, Count(upto=1))
    gains = dict(run_until(engine, ended(1, 2)))
    assert isinstance(gains[1], RequestError)
    assert gains[2] is DONE


def test_any_other_error_is_the_engines_death(engine: Counting) -> None:
    engine.add(1, Count(upto=1, error=ZeroDivisionError("engine broke")))
    with pytest.raises(ZeroDivisionError, match="engine broke"):
        run_until(engine, ended(1))


def test_an_engine_that_broke_on_a_cancelled_job_is_dead_all_the_same(engine: Counting) -> None:
    gate = threading.Semaphore(1)
    engine.add(1, Breaking(upto=2, gate=gate))
    run_until(engine, lambda gains: len(gains) == 1)
    engine.cancel(1)
    gate.release()
    with pytest.raises(ZeroDivisionError):
        run_until(engine, ended(1))


def test_progress_is_what_the_job_reports_and_not_that_steps_are_made(engine: Counting) -> None:
    gate = threading.Semaphore(0)
    engine.add(1, Count(upto=2, gate=gate))
    assert engine.begun.wait(20)
    assert engine.progressed()
    assert list(engine.step()) == []
    assert not engine.progressed()
    gate.release()
    run_until(engine, lambda gains: len(gains) == 1)
    assert engine.progressed()
    assert not engine.progressed()
    gate.release()
    run_until(engine, ended(1))
    assert engine.progressed()


def test_closing_ends_the_running_job_and_the_thread() -> None:
    engine = Counting()
    gate = threading.Semaphore(1)
    engine.add(1, Count(upto=1000, gate=gate))
    run_until(engine, lambda gains: len(gains) == 1)
    closing = threading.Thread(target=engine.close)
    closing.start()
    engine_is_cancelled(engine)
    gate.release()
    closing.join(20)
    assert engine.left.is_set()
    assert "jobs-counting" not in {thread.name for thread in threading.enumerate()}


class Developing(JobEngine):
    """Its job takes a picture, which is developed while the job waits for `gate`."""

    def __init__(self) -> None:
        super().__init__(ModelSpec(name="developing", task="developing", path="", work_dir=""))
        self.gate = threading.Semaphore(0)
        self.reported = threading.Event()
        self.made_on: list[int] = []

    def info(self) -> EngineInfo:
        return EngineInfo(slots=4, device="CPU")

    def run(self, request: Count, progress: Progress) -> None:
        progress(lambda: self.develop(request))
        progress(Counted(1))
        self.reported.set()
        assert self.gate.acquire(timeout=20)

    def develop(self, request: Count) -> Counted:
        self.made_on.append(threading.get_ident())
        if request.error is not None:
            raise request.error
        return Counted(0)


@pytest.fixture
def developing() -> Iterator[Developing]:
    engine = Developing()
    yield engine
    engine.gate.release(10)
    engine.close()


def test_an_event_given_as_a_function_is_made_while_the_job_goes_on(developing: Developing) -> None:
    developing.add(1, Count(upto=1))
    gains = run_until(developing, lambda gains: len(gains) == 2)
    assert gains == [(1, Counted(0)), (1, Counted(1))]
    assert developing.made_on == [threading.get_ident()]


def test_an_event_of_a_cancelled_job_is_not_made(developing: Developing) -> None:
    developing.add(1, Count(upto=1))
    assert developing.reported.wait(20)
    developing.cancel(1)
    developing.add(2, Count(upto=1))
    developing.gate.release(2)
    assert {id for id, _ in run_until(developing, ended(2))} == {2}
    assert len(developing.made_on) == 1


def test_a_request_error_of_the_function_ends_its_request_only(developing: Developing) -> None:
    developing.add(1, Count(upto=1, error=RequestError("over-exposed")))
    developing.add(2, Count(upto=1))
    developing.gate.release(2)
    gains = run_until(developing, ended(1, 2))
    assert [gain for id, gain in gains if id == 1] == [gains[0][1]]
    assert isinstance(gains[0][1], RequestError)
    assert gains[-1] == (2, DONE)


def test_any_other_error_of_the_function_is_the_engines_death(developing: Developing) -> None:
    developing.add(1, Count(upto=1, error=ZeroDivisionError("the bath is empty")))
    with pytest.raises(ZeroDivisionError, match="bath"):
        run_until(developing, ended(1))
