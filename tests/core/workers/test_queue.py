"""Which request goes next, and who is to blame when an engine dies."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovms_core.testing import Script
from ovms_core.workers import queue as module
from ovms_core.workers.pending import PendingRequest
from ovms_core.workers.queue import Pace, Queue


def queue_of(count: int, *, slots: int = 8, limit: int = 100) -> tuple[Queue, list[PendingRequest]]:
    queue, requests = Queue(limit), [PendingRequest(id, Script()) for id in range(count)]
    queue.slots = slots
    queue.waiting.extend(requests)
    return queue, requests


def pump(queue: Queue) -> list[int]:
    """Send what may go; the ids."""
    sent = []
    while (pending := queue.take_next()) is not None:
        sent.append(pending.id)
    return sent


def gain(requests: Iterable[PendingRequest]) -> None:
    for pending in requests:
        pending.push("x", 1)


def test_requests_go_in_order_as_far_as_there_are_slots() -> None:
    queue, _ = queue_of(5, slots=3)
    assert pump(queue) == [0, 1, 2]
    queue.end(1)
    assert pump(queue) == [3]


def test_the_queue_is_full_over_its_limit_and_counts_free_slots() -> None:
    queue, _ = queue_of(2, slots=2, limit=0)
    assert queue.full
    pump(queue)
    assert queue.full
    queue.end(0)
    assert not queue.full


def test_after_a_death_the_suspects_go_first_and_one_at_a_time_until_each_gained_something() -> None:
    queue, requests = queue_of(5, slots=3)
    pump(queue)
    assert queue.bury(raised=False) == []
    assert pump(queue) == [0]
    gain(requests[:1])
    assert pump(queue) == [1]
    gain(requests[1:2])
    assert pump(queue) == [2]
    queue.end(0)
    assert pump(queue) == []
    gain(requests[2:3])
    assert pump(queue) == [3]


def test_a_request_alone_in_two_deaths_in_a_row_is_to_blame() -> None:
    queue, requests = queue_of(1)
    pump(queue)
    assert queue.bury(raised=False) == []
    pump(queue)
    assert queue.bury(raised=False) == requests
    assert not queue.waiting


def test_a_request_alone_in_a_step_that_raised_is_to_blame_at_once() -> None:
    queue, requests = queue_of(1)
    pump(queue)
    assert queue.bury(raised=True) == requests


def test_a_second_death_has_the_one_on_trial_as_its_culprit() -> None:
    queue, requests = queue_of(4)
    pump(queue)
    queue.bury(raised=False)
    pump(queue)
    gain(requests[:1])
    assert pump(queue) == [1]
    assert queue.bury(raised=False) == [requests[1]]
    assert [pending.id for pending in queue.waiting] == [0, 2, 3]
    assert {pending.deaths for pending in queue.waiting} == {1}


def test_a_late_culprit_is_found_by_running_the_suspects_alone_and_the_others_run_again() -> None:
    queue, requests = queue_of(3)
    pump(queue)
    queue.bury(raised=False)
    for pending in requests:
        pump(queue)
        gain([pending])
    assert queue.bury(raised=False) == []
    assert pump(queue) == [0]
    gain(requests[:1])
    assert pump(queue) == []
    assert queue.bury(raised=False) == [requests[0]]
    assert pump(queue) == [1]
    gain(requests[1:2])
    assert pump(queue) == [2]


def test_a_request_that_lived_long_in_its_engine_is_a_first_suspect_again(monkeypatch: pytest.MonkeyPatch) -> None:
    queue, requests = queue_of(1)
    pump(queue)
    queue.bury(raised=False)
    pump(queue)
    monkeypatch.setattr(module, "STABLE_SECONDS", -1.0)
    assert queue.bury(raised=False) == []
    assert requests[0].deaths == 1


def test_a_dropped_request_is_forgotten_wherever_it_is() -> None:
    queue, requests = queue_of(3, slots=1)
    pump(queue)
    assert queue.drop(requests[0])
    assert not queue.drop(requests[1])
    assert not queue.drop(requests[1])
    assert [pending.id for pending in queue.waiting] == [2]
    assert not queue.in_flight


def test_retry_after_follows_the_pace_within_bounds() -> None:
    pace = Pace()
    assert pace.seconds_for(1) == 1
    assert pace.seconds_for(1000) == 60
    for _ in range(200):
        pace.tick()
    assert pace.seconds_for(10) == 1


@given(poison=st.integers(0, 7), word=st.integers(0, 4), raised=st.booleans(), slots=st.integers(1, 9))
def test_whatever_a_poison_does_only_the_poison_is_blamed(poison: int, word: int, raised: bool, slots: int) -> None:
    """Plays a whole model: every request needs 5 words; the engine dies at word `word` of the poison."""
    queue, requests = queue_of(8, slots=slots)
    said, blamed = dict.fromkeys(range(8), 0), list[PendingRequest]()
    for _ in range(500):
        pump(queue)
        if any(pending.id == poison and said[poison] == word for pending in queue.in_flight.values()):
            blamed += queue.bury(raised=raised)
            continue
        for pending in list(queue.in_flight.values()):
            pending.push("x", 1)
            said[pending.id] += 1
            if said[pending.id] == 5:
                queue.end(pending.id)
    assert [pending.id for pending in blamed] == [poison]
    assert all(count == 5 for id, count in said.items() if id != poison)
    assert not queue.waiting
    assert not queue.in_flight
    assert requests


def test_retry_after_does_not_count_the_time_without_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    queue, _ = queue_of(0)
    for _ in range(3):
        queue.waiting.extend(PendingRequest(id, Script()) for id in range(20))
        for id in range(20):
            pump(queue)
            now += 0.1
            queue.end(id)
        now += 3600
    queue.waiting.extend(PendingRequest(id, Script()) for id in range(20))
    assert queue.retry_after < 3
