"""A request on its way through a model."""

from __future__ import annotations

import asyncio

import pytest

from ovms_core.errors import APIError
from ovms_core.testing import Script
from ovms_core.workers.job import Job


async def test_events_are_taken_in_order_and_then_the_end() -> None:
    job = Job(1, Script())
    job.push("a")
    job.push("b")
    assert await job.take() == ["a", "b"]
    taking = asyncio.create_task(asyncio.wait_for(job.take(), 1))
    await asyncio.sleep(0)
    job.push("c")
    assert await taking == ["c"]
    job.finish()
    assert not await job.take()


async def test_what_was_gained_comes_before_the_error() -> None:
    job = Job(1, Script())
    job.push("a")
    job.finish(APIError(500, "broken"))
    assert await job.take() == ["a"]
    with pytest.raises(APIError, match="broken"):
        await job.take()


async def test_one_error_may_end_many_jobs_without_growing() -> None:
    error = APIError(503, "all gone")
    for id in range(50):
        job = Job(id, Script())
        job.finish(error)
        with pytest.raises(APIError):
            await job.take()
    depth, trace = 0, error.__traceback__
    while trace is not None:
        depth, trace = depth + 1, trace.tb_next
    assert depth < 5


async def test_a_taker_that_is_cancelled_loses_nothing() -> None:
    job = Job(1, Script())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(job.take(), 0.01)
    job.push("a")
    assert await job.take() == ["a"]


def test_a_job_that_gained_nothing_is_sent_as_it_was() -> None:
    job = Job(1, Script(count=5, resumable=False))
    assert job.resume()
    assert job.request == Script(count=5, resumable=False)


def test_a_job_resumes_after_what_it_gained_every_time() -> None:
    job = Job(1, Script(count=9))
    for start in (2, 4):
        job.push("x")
        job.push("y")
        assert job.resume()
        assert job.request == Script(count=9, start=start)


def test_a_job_that_cannot_be_resumed_says_so() -> None:
    job = Job(1, Script(resumable=False))
    job.push("x")
    assert not job.resume()
