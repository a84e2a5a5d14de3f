"""`BatchEngine`: how items of many requests become batches. The engine computes nothing heavier than a length."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace

import pytest

from ovms_core.engine import DONE, BatchEngine, BatchLimits, EngineInfo, Event, Gain, Request, RequestError, Shapes
from ovms_core.engines import batching
from ovms_core.engines.batch_queue import BatchQueue, Entry

LIMITS = BatchLimits(Shapes.up_to(512), max_batch_tokens=256)


class Measure(Request):
    """Measure each text."""

    texts: list[str]


class Measured(Event):
    """The length of each text."""

    lengths: list[int]


class Lengths(BatchEngine[Measure, str, int]):
    """Remembers its batches; `gate` holds them back, `started` says that one has begun."""

    def __init__(self, limits: BatchLimits = LIMITS) -> None:
        super().__init__(limits)
        self.batches: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Event()
        self.drawn = 0

    def info(self) -> EngineInfo:
        return EngineInfo(slots=64, device="CPU")

    def split(self, request: Measure) -> Iterable[str]:
        for text in request.texts:
            if text == "forbidden":
                raise RequestError("A text is forbidden.", param="texts")
            self.drawn += 1
            yield text

    def cost(self, item: str) -> int:
        return len(item)

    def run(self, items: Sequence[str]) -> Sequence[int]:
        self.started.set()
        assert self.gate.wait(30)
        self.batches.append(list(items))
        if "poison" in items:
            raise RuntimeError("the device is gone")
        if "refused" in items:
            raise RequestError("This batch cannot be run.")
        return [len(item) for item in items]

    def join(self, request: Measure, results: Sequence[int]) -> Measured:
        return Measured(list(results))


class Slow(Lengths):
    """Its gate holds back only what is slow."""

    def run(self, items: Sequence[str]) -> Sequence[int]:
        return super().run(items) if "slow" in items else [len(item) for item in items]


@pytest.fixture
def engine() -> Iterator[Lengths]:
    made = Lengths()
    yield made
    made.gate.set()
    made.close()


def texts(*lengths: int) -> list[str]:
    """Texts of these lengths, no two equal."""
    return [f"{index:x}".rjust(length, "-") for index, length in enumerate(lengths)]


def finish(engine: Lengths, *ids: int) -> dict[int, Gain]:
    """Step until each of `ids` has ended; what each gained last before that."""
    gains: dict[int, Gain] = {}
    ended: set[int] = set()
    while not ended.issuperset(ids):
        for id, gain in engine.step():
            if gain is DONE or isinstance(gain, RequestError):
                ended.add(id)
            if gain is not DONE:
                gains[id] = gain
    return gains


def begin(engine: Lengths) -> None:
    """Step until the first batch runs and is held back by the gate."""
    engine.gate.clear()
    assert list(engine.step()) == []
    assert engine.started.wait(30)


def test_results_come_in_the_order_of_the_request_whatever_the_order_of_the_batches(engine: Lengths) -> None:
    engine.add(1, Measure(texts(90, 10, 250, 40, 10, 100)))
    assert finish(engine, 1) == {1: Measured([90, 10, 250, 40, 10, 100])}
    assert len(engine.batches) > 1


def test_items_of_several_requests_share_a_batch(engine: Lengths) -> None:
    for id, text in enumerate(texts(*[16] * 8)):
        engine.add(id, Measure([text]))
    finish(engine, *range(8))
    assert [len(batch) for batch in engine.batches] == [8]


def test_without_batching_across_requests_none_do() -> None:
    engine = Lengths(BatchLimits(LIMITS.shapes, max_batch_tokens=256, across_requests=False))
    engine.add(1, Measure(texts(16, 16)))
    engine.add(2, Measure(texts(17, 17)))
    finish(engine, 1, 2)
    assert [len(batch) for batch in engine.batches] == [2, 2]
    engine.close()


def test_a_batch_stays_within_the_token_budget_with_its_padding(engine: Lengths) -> None:
    engine.add(1, Measure(texts(*range(3, 130))))
    finish(engine, 1)
    for batch in engine.batches:
        rows, length = LIMITS.shapes.of(len(batch), max(map(len, batch)))
        assert rows * length <= LIMITS.max_batch_tokens


def test_an_item_over_the_budget_runs_alone(engine: Lengths) -> None:
    engine.add(1, Measure(texts(400, 10, 10)))
    finish(engine, 1)
    assert [400] in [[len(item) for item in batch] for batch in engine.batches]


def test_items_of_one_length_are_put_together(engine: Lengths) -> None:
    engine.add(1, Measure(texts(*[16, 120] * 8)))
    finish(engine, 1)
    assert all(len({len(item) for item in batch}) == 1 for batch in engine.batches)


def test_an_idle_engine_starts_at_once_with_what_is_there(engine: Lengths) -> None:
    engine.add(1, Measure(["a"]))
    list(engine.step())
    assert engine.started.wait(30)


def test_a_step_returns_while_a_batch_runs_so_that_the_next_batch_can_gather(engine: Lengths) -> None:
    engine.add(1, Measure(["a"]))
    begin(engine)
    assert list(engine.step()) == []
    for id in (2, 3, 4):
        engine.add(id, Measure([f"text {id}"]))
    list(engine.step())
    engine.gate.set()
    finish(engine, 1, 2, 3, 4)
    assert [len(batch) for batch in engine.batches] == [1, 3]


def test_one_text_does_not_wait_behind_two_thousand(engine: Lengths) -> None:
    engine.add(1, Measure(texts(*[32] * 2000)))
    begin(engine)
    engine.add(2, Measure(["the only one"]))
    engine.gate.set()
    gains = finish(engine, 2)
    assert 1 not in gains
    assert len(engine.batches) <= 12
    assert finish(engine, 1)[1] == Measured([32] * 2000)


def test_a_large_request_makes_progress_under_a_flood_of_small_ones(engine: Lengths) -> None:
    engine.add(0, Measure(texts(*[200] * 40)))
    flood = iter(range(1, 10_000))
    for id in (next(flood) for _ in range(32)):
        engine.add(id, Measure([f"{id}".rjust(16)]))
    gains: dict[int, Gain] = {}
    while 0 not in gains:
        for id, gain in engine.step():
            gains[id] = gain
            if gain is DONE and id:
                replacement = next(flood)
                engine.add(replacement, Measure([f"{replacement}".rjust(16)]))
    assert len(gains) < 4000


def test_a_large_request_is_prepared_as_its_turn_comes(engine: Lengths) -> None:
    engine.add(1, Measure(texts(*[100] * 2000)))
    begin(engine)
    assert engine.drawn < 200


def test_one_text_does_not_wait_until_all_slow_ones_are_prepared(
    engine: Lengths, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=lambda: float(engine.drawn))  # a second for every text
    monkeypatch.setattr(batching, "time", clock)
    engine.add(1, Measure(texts(*[9] * 50)))
    begin(engine)
    engine.add(2, Measure(["alone"]))
    engine.gate.set()
    finish(engine, 2)
    assert engine.drawn < 10


def test_equal_items_in_flight_are_computed_once(engine: Lengths) -> None:
    for id in (1, 2, 3):
        engine.add(id, Measure(["same", "same", f"own {id}"]))
    gains = finish(engine, 1, 2, 3)
    assert gains[2] == Measured([4, 4, 5])
    assert sorted(item for batch in engine.batches for item in batch) == ["own 1", "own 2", "own 3", "same"]


def test_an_item_equal_to_one_that_runs_takes_its_result(engine: Lengths) -> None:
    engine.add(1, Measure(["same"]))
    begin(engine)
    engine.add(2, Measure(["same"]))
    list(engine.step())
    engine.gate.set()
    assert finish(engine, 1, 2) == {1: Measured([4]), 2: Measured([4])}
    assert engine.batches == [["same"]]


def test_what_is_computed_is_not_kept(engine: Lengths) -> None:
    for id in (1, 2):
        engine.add(id, Measure(["same"]))
        finish(engine, id)
    assert engine.batches == [["same"], ["same"]]


def test_items_of_a_cancelled_request_are_dropped(engine: Lengths) -> None:
    engine.add(1, Measure(["first"]))
    begin(engine)
    engine.add(2, Measure(["unwanted", "wanted"]))
    engine.add(3, Measure(["wanted"]))
    list(engine.step())
    engine.cancel(2)
    engine.gate.set()
    finish(engine, 1, 3)
    assert engine.batches == [["first"], ["wanted"]]


def test_a_request_cancelled_while_it_runs_gains_nothing(engine: Lengths) -> None:
    engine.add(1, Measure(["leaves", "stays too"]))
    engine.add(2, Measure(["stays"]))
    begin(engine)
    engine.cancel(1)
    engine.gate.set()
    assert set(finish(engine, 2)) == {2}


def test_cancelling_what_is_not_there_does_nothing(engine: Lengths) -> None:
    engine.cancel(7)
    engine.add(1, Measure(["a"]))
    finish(engine, 1)
    engine.cancel(1)


def test_a_request_without_items_is_answered_at_once(engine: Lengths) -> None:
    engine.add(1, Measure([]))
    assert list(engine.step()) == [(1, Measured([])), (1, DONE)]


def test_an_item_that_cannot_be_prepared_fails_its_own_request_only(engine: Lengths) -> None:
    engine.add(1, Measure(["fine", "forbidden"]))
    engine.add(2, Measure(["fine"]))
    gains = finish(engine, 1, 2)
    assert isinstance(gains[1], RequestError)
    assert gains[2] == Measured([4])


def test_a_batch_that_is_refused_fails_its_requests_and_the_engine_goes_on(engine: Lengths) -> None:
    engine.add(1, Measure(["refused"]))
    assert isinstance(finish(engine, 1)[1], RequestError)
    engine.add(2, Measure(["fine"]))
    assert finish(engine, 2) == {2: Measured([4])}


def test_whatever_else_a_batch_raises_comes_out_of_the_step(engine: Lengths) -> None:
    engine.add(1, Measure(["poison"]))
    with pytest.raises(RuntimeError, match="the device is gone"):
        finish(engine, 1)


def test_a_batch_that_runs_for_long_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Slow(BatchLimits(LIMITS.shapes, streams=2))
    engine.add(1, Measure(["slow"]))
    begin(engine)
    monkeypatch.setattr(batching, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 3600))
    try:
        step = threading.Thread(target=lambda: list(engine.step()))
        step.start()
        step.join(10)
        assert not step.is_alive()
        engine.add(2, Measure(["quick"]))
        assert finish(engine, 2) == {2: Measured([5])}
    finally:
        engine.gate.set()
        engine.close()


def test_batches_on_other_streams_do_not_hide_one_that_hangs() -> None:
    engine = Slow(BatchLimits(LIMITS.shapes, streams=2))
    engine.add(1, Measure(["slow"]))
    begin(engine)
    assert engine.progressed()
    engine.add(2, Measure(["quick"]))
    finish(engine, 2)
    assert not engine.progressed()
    engine.gate.set()
    finish(engine, 1)
    assert engine.progressed()
    engine.close()


def test_as_many_batches_run_at_once_as_there_are_streams() -> None:
    meeting = threading.Barrier(2)

    class Meeting(Lengths):
        def run(self, items: Sequence[str]) -> Sequence[int]:
            meeting.wait(30)
            return [len(item) for item in items]

    engine = Meeting(BatchLimits(LIMITS.shapes, max_batch_tokens=64, streams=2))
    engine.add(1, Measure(texts(64, 64)))
    assert finish(engine, 1) == {1: Measured([64, 64])}
    engine.close()


def test_an_item_that_costs_nothing_has_its_turn_too() -> None:
    queue: BatchQueue[str] = BatchQueue(LIMITS)
    queue.add("free", 0, (1, 0))
    for index in range(100):
        queue.add(f"text {index}", 64, (2 + index, 0))
    batches: list[list[Entry[str]]] = [queue.form() for _ in range(3)]
    assert any(entry.item == "free" for batch in batches for entry in batch)


def test_streams_share_what_waits() -> None:
    queue: BatchQueue[str] = BatchQueue(LIMITS)
    for index in range(8):
        queue.add(f"text {index}", 16, (index, 0))
    assert [len(queue.form(2)), len(queue.form(1))] == [4, 4]


def test_a_batch_is_ready_for_the_next_stream_where_plenty_waits(engine: Lengths) -> None:
    engine.add(1, Measure(texts(*[100] * 20)))
    begin(engine)
    running, waiting = engine._started, len(engine._queue)
    assert (len(running), waiting) == (2, 20 - 2 * 2)


def test_no_batch_is_formed_ahead_where_it_could_still_grow(engine: Lengths) -> None:
    engine.add(1, Measure(texts(*[100] * 4)))
    begin(engine)
    assert (len(engine._started), len(engine._queue)) == (1, 2)


def test_more_requests_than_the_window_holds_are_all_answered() -> None:
    wide = Lengths(BatchLimits(LIMITS.shapes, max_batch_tokens=256, window=4))
    for id in range(40):
        wide.add(id, Measure(texts(5, 6, 7)))
    assert set(finish(wide, *range(40))) == set(range(40))
    wide.close()


@pytest.mark.parametrize("size", [1, 7, 16, 100, 300, 512, 8192])
def test_shapes_are_few_ascending_and_reach_their_end(size: int) -> None:
    shapes = Shapes.up_to(size)
    assert list(shapes.lengths) == sorted(set(shapes.lengths))
    assert shapes.lengths[-1] == size
    assert len(shapes.lengths) <= 64


@pytest.mark.parametrize(("rows", "length", "padded"), [(1, 1, (1, 8)), (5, 130, (6, 144)), (64, 512, (64, 512))])
def test_sizes_are_rounded_up_to_a_step(rows: int, length: int, padded: tuple[int, int]) -> None:
    assert Shapes.up_to(512).of(rows, length) == padded


def test_what_is_over_the_last_step_stays_as_it_is() -> None:
    assert Shapes.up_to(128).of(1, 500) == (1, 500)


def test_the_item_whose_turn_it_is_is_in_one_of_the_next_batches_however_badly_it_fits() -> None:
    queue: BatchQueue[str] = BatchQueue(LIMITS)
    queue.add("odd", 130, (1, 0))
    for index in range(100):
        queue.add(f"even {index}", 16, (2 + index, 0))
    batches: list[list[Entry[str]]] = [queue.form() for _ in range(4)]
    assert [any(entry.item == "odd" for entry in batch) for batch in batches] == [False, False, True, False]
