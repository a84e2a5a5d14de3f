"""Requests that an engine has lost are found, and no others."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from ovms_core.engine import ModelSpec
from ovms_core.testing import ScriptedEngine
from ovms_core.workers.in_flight import InFlight

LIMIT = 30.0


class Engine(ScriptedEngine):
    """Says what a test lets it say."""

    says: Collection[int] | None = None

    def __init__(self) -> None:
        super().__init__(ModelSpec(name="m", task="scripted", path="", work_dir=""))

    def in_flight(self) -> Collection[int] | None:
        return self.says


class Clock:
    """Steps an engine second by second."""

    def __init__(self, engine: Engine) -> None:
        self.requests = InFlight(engine, LIMIT)
        self.now = 1000.0

    def step(self, *gained: int, seconds: float = 1.0, ended: int = 0) -> list[int]:
        """A step that takes so long, and in which these requests gain something; the requests that are lost."""
        self.now += seconds
        if ended:
            self.requests.ended(ended)
        lost = self.requests.lost(self.now, [(id, None) for id in gained], ended=bool(ended))
        return [id for id, _ in lost]

    def idle(self, seconds: float) -> list[int]:
        """Steps that do nothing, until so much time has gone by or something is lost."""
        end = self.now + seconds
        while self.now < end:
            if found := self.step(seconds=0.0005):
                return found
        return []


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def clock(engine: Engine) -> Clock:
    clock = Clock(engine)
    clock.step()
    clock.requests.add(1)
    clock.requests.add(2)
    return clock


def test_what_the_engine_says_it_has_is_never_lost(engine: Engine, clock: Clock) -> None:
    engine.says = {1, 2}
    clock.requests.add(3)
    assert clock.step(3, ended=3) == []
    assert clock.idle(2 * LIMIT) == []


def test_what_the_engine_says_it_has_not_is_lost_after_a_second_without_gain(engine: Engine, clock: Clock) -> None:
    engine.says = {2}
    assert [clock.step(2), clock.step(2)] == [[], [1]]


def test_a_long_prompt_is_not_lost_while_others_that_came_before_end(clock: Clock) -> None:
    for _ in range(2 * int(LIMIT)):
        assert clock.step(1) == []
    assert clock.step(ended=1) == []
    for _ in range(2 * int(LIMIT)):
        assert clock.step() == [], "the steps take their time: they do something"


def test_a_request_that_gains_nothing_while_later_ones_end_is_lost(clock: Clock) -> None:
    waits = 0
    while not (lost := clock.step(2)):
        waits += 1
        clock.requests.add(waits + 10)
        assert clock.step(waits + 10, seconds=0, ended=waits + 10) == []
    assert lost == [1]
    assert LIMIT - 1 <= waits <= LIMIT + 2


def test_each_gain_begins_the_time_anew(clock: Clock) -> None:
    clock.requests.add(3)
    clock.step(ended=3)
    for _ in range(10):
        assert clock.step(1, 2) == []
        for _ in range(int(LIMIT) - 2):
            assert clock.step() == []


def test_an_engine_that_does_nothing_has_lost_what_it_should_do(clock: Clock) -> None:
    assert clock.idle(LIMIT - 1) == []
    assert sorted(clock.idle(10)) == [1, 2]


def test_who_has_left_is_not_looked_for(engine: Engine, clock: Clock) -> None:
    engine.says = ()
    clock.step()
    clock.requests.forget(1)
    assert 1 not in clock.requests
    assert clock.step() == [2]
