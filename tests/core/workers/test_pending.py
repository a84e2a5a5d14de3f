"""A request on its way through a model."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Sequence

import pytest

from ovms_core.errors import APIError
from ovms_core.messages import Request
from ovms_core.testing import Script
from ovms_core.workers.pending import UNREAD_LIMIT, PendingRequest


async def test_events_are_taken_in_order_and_then_the_end() -> None:
    pending = PendingRequest(1, Script())
    pending.push("a", 1)
    pending.push("b", 1)
    assert await pending.take() == ["a", "b"]
    taking = asyncio.create_task(asyncio.wait_for(pending.take(), 1))
    await asyncio.sleep(0)
    pending.push("c", 1)
    assert await taking == ["c"]
    pending.finish()
    assert not await pending.take()


async def test_what_was_gained_comes_before_the_error() -> None:
    pending = PendingRequest(1, Script())
    pending.push("a", 1)
    pending.finish(APIError(500, "broken"))
    assert await pending.take() == ["a"]
    with pytest.raises(APIError, match="broken"):
        await pending.take()


async def test_a_taker_that_is_cancelled_loses_nothing() -> None:
    pending = PendingRequest(1, Script())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pending.take(), 0.01)
    pending.push("a", 1)
    assert await pending.take() == ["a"]


def test_a_request_that_gained_nothing_is_sent_as_it_was() -> None:
    pending = PendingRequest(1, Script(count=5, resumable=False))
    assert pending.resume()
    assert pending.request == Script(count=5, resumable=False)


def test_a_job_resumes_after_what_it_gained_every_time() -> None:
    pending = PendingRequest(1, Script(count=9))
    for start in (2, 4):
        pending.push("x", 1)
        pending.push("y", 1)
        assert pending.resume()
        assert pending.request == Script(count=9, start=start)


def test_a_request_that_cannot_be_resumed_says_so() -> None:
    pending = PendingRequest(1, Script(resumable=False))
    pending.push("x", 1)
    assert not pending.resume()


class Draw(Request, tag="draw"):
    """Draw pictures, the next of which is `first`."""

    first: int = 0

    def resumed(self, events: Sequence[bytes]) -> Draw:
        return Draw(self.first + len(events))


class DrawOnce(Request, tag="draw_once"):
    """Draw pictures, and never mind an engine that dies."""


@pytest.mark.parametrize("drawing", [Draw(), DrawOnce()])
async def test_what_has_been_taken_is_not_kept(drawing: Request) -> None:
    pending = PendingRequest(1, drawing)
    tracemalloc.start()
    try:
        for number in range(32):
            pending.push(number.to_bytes(1) * (1 << 20), 1 << 20)
            await pending.take()
        assert tracemalloc.get_traced_memory()[0] < 4 << 20
    finally:
        tracemalloc.stop()
    assert pending.resume() == isinstance(drawing, Draw)
    assert pending.request == (Draw(32) if isinstance(drawing, Draw) else drawing)


async def test_a_reader_is_behind_when_it_is_busy_and_too_much_waits() -> None:
    pending = PendingRequest(1, Script())
    seen = []

    def push(event: str) -> None:
        pending.push(event, len(event))
        seen.append(pending.behind)

    reading = asyncio.create_task(pending.take())
    await asyncio.sleep(0)
    push("." * UNREAD_LIMIT)
    push("." * UNREAD_LIMIT)
    assert seen == [False, False], "it waits for these events and just had no turn yet"
    await reading
    push(".")
    push("." * UNREAD_LIMIT)
    await pending.take()
    push(".")
    assert seen[2:] == [False, True, False]
