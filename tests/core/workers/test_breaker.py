"""Backing off, giving up for a while, and trying again."""

from __future__ import annotations

import pytest

from ovms_core.workers import breaker as module
from ovms_core.workers.breaker import Breaker


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_the_first_death_is_followed_by_a_start_at_once(clock: Clock) -> None:
    assert Breaker().record_death() == 0


def test_restarts_back_off(clock: Clock) -> None:
    breaker = Breaker(limit=10)
    assert [breaker.record_death() for _ in range(9)] == [0, 0.25, 0.5, 1, 2, 4, 8, 10, 10]


def test_deaths_long_ago_do_not_count(clock: Clock) -> None:
    breaker = Breaker(limit=2, window=10)
    breaker.record_death()
    clock.now += 11
    assert breaker.record_death() == 0
    assert breaker.open_for == 0


def test_it_opens_after_repeated_deaths_and_closes_with_time(clock: Clock) -> None:
    breaker = Breaker(limit=3, window=10, cooldown=30)
    delays = [breaker.record_death() for _ in range(3)]
    assert delays[-1] == breaker.open_for == 30
    clock.now += 20
    assert breaker.open_for == 10
    clock.now += 20
    assert breaker.open_for == 0


def test_a_death_right_after_it_was_half_open_opens_it_again(clock: Clock) -> None:
    breaker = Breaker(limit=2, window=100, cooldown=30)
    breaker.record_death()
    breaker.record_death()
    clock.now += 31
    assert breaker.record_death() == 30
    assert breaker.open_for == 30
