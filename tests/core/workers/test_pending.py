"""A request on its way through a model."""

from __future__ import annotations

import asyncio

import pytest

from ovms_core.errors import APIError
from ovms_core.testing import Script
from ovms_core.workers.pending import PendingRequest


async def test_events_are_taken_in_order_and_then_the_end() -> None:
    pending = PendingRequest(1, Script())
    pending.push("a")
    pending.push("b")
    assert await pending.take() == ["a", "b"]
    taking = asyncio.create_task(asyncio.wait_for(pending.take(), 1))
    await asyncio.sleep(0)
    pending.push("c")
    assert await taking == ["c"]
    pending.finish()
    assert not await pending.take()


async def test_what_was_gained_comes_before_the_error() -> None:
    pending = PendingRequest(1, Script())
    pending.push("a")
    pending.finish(APIError(500, "broken"))
    assert await pending.take() == ["a"]
    with pytest.raises(APIError, match="broken"):
        await pending.take()


async def test_one_error_may_end_many_jobs_without_growing() -> None:
    error = APIError(503, "all gone")
    for id in range(50):
        pending = PendingRequest(id, Script())
        pending.finish(error)
        with pytest.raises(APIError):
            await pending.take()
    depth, trace = 0, error.__traceback__
    while trace is not None:
        depth, trace = depth + 1, trace.tb_next
    assert depth < 5


async def test_a_taker_that_is_cancelled_loses_nothing() -> None:
    pending = PendingRequest(1, Script())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pending.take(), 0.01)
    pending.push("a")
    assert await pending.take() == ["a"]


def test_a_job_that_gained_nothing_is_sent_as_it_was() -> None:
    pending = PendingRequest(1, Script(count=5, resumable=False))
    assert pending.resume()
    assert pending.request == Script(count=5, resumable=False)


def test_a_job_resumes_after_what_it_gained_every_time() -> None:
    pending = PendingRequest(1, Script(count=9))
    for start in (2, 4):
        pending.push("x")
        pending.push("y")
        assert pending.resume()
        assert pending.request == Script(count=9, start=start)


def test_a_job_that_cannot_be_resumed_says_so() -> None:
    pending = PendingRequest(1, Script(resumable=False))
    pending.push("x")
    assert not pending.resume()
