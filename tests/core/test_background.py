"""Background tasks of plugins: started again when they fail, cancelled when the server ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from tests.core.support import plugin

from ovms_core import background
from ovms_core.plugin import Application
from ovms_core.testing import app_with, connected


def working(*functions: Callable[..., Any], told: list[str] | None = None) -> object:
    """A plugin that supervises these; the first is called "task 0"."""

    @asynccontextmanager
    async def life(app: Application) -> AsyncIterator[None]:
        for number, function in enumerate(functions):
            app.supervise(function, name=f"task {number}")
        yield
        if told is not None:
            told.append("closed")

    return plugin("working", ovms_lifespan=life)


async def test_a_task_runs_while_the_server_does_and_ends_before_what_it_uses_is_closed() -> None:
    told: list[str] = []
    running = asyncio.Event()

    async def work() -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            told.append("cancelled")

    async with connected(app_with(working(work, told=told))):
        await running.wait()
    assert told == ["cancelled", "closed"]


async def test_one_that_fails_is_told_with_its_authors_line_counted_and_started_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "_FIRST", 0.01)
    again = asyncio.Event()
    starts: list[int] = []

    async def work(number: int) -> None:
        starts.append(number)
        if len(starts) < 3:
            raise ValueError("no luck")
        again.set()

    async with connected(app_with(working(partial(work, 7)))) as client:
        await again.wait()
        assert 'ovms_task_restarts_total{task="task 0"} 2.0' in (await client.get("/metrics")).text
    assert starts == [7, 7, 7]
    first, second = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert first.startswith("the background task 'task 0' failed: ValueError: no luck (")
    assert "test_background.py" in first
    assert "It is started again in 0.02 s" in second


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError()], ids=lambda error: type(error).__name__)
async def test_no_way_to_fail_ends_the_server_or_the_task(
    error: BaseException, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a task awaits may be cancelled, though nobody cancelled the task."""
    monkeypatch.setattr(background, "_FIRST", 0.01)
    starts: list[None] = []
    again = asyncio.Event()

    async def work() -> None:
        starts.append(None)
        if len(starts) == 1:
            raise error
        again.set()

    async with connected(app_with(working(work))) as client:
        await asyncio.wait_for(again.wait(), 10)
        assert (await client.get("/health")).status_code == 200
    assert f"the background task 'task 0' failed: {type(error).__name__}" in caplog.text


async def soon() -> None:
    """A task that is over at once."""


def later() -> Awaitable[None]:
    return soon()


@pytest.mark.parametrize(
    ("functions", "reason"),
    [
        ((later,), "TypeError: the background task 'task 0' needs an async function without arguments"),
        ((soon(),), "TypeError: the background task 'task 0' needs an async function without arguments"),
    ],
    ids=["not async", "called already"],
)
async def test_what_cannot_be_supervised_is_refused(functions: tuple[Any, ...], reason: str) -> None:
    app = app_with(working(*functions))
    async with connected(app):
        (report,) = (each for each in app.server.plugins if each.name == "working")
        assert reason in report.reason
    for each in functions:
        if asyncio.iscoroutine(each):
            each.close()


async def test_a_name_is_given_once_and_only_while_the_server_runs() -> None:
    app = app_with()
    with pytest.raises(RuntimeError, match="do it in ovms_lifespan"):
        app.supervise(soon, name="a")
    async with connected(app):
        app.supervise(soon, name="a")
        with pytest.raises(ValueError, match="there is a background task 'a' already"):
            app.supervise(soon, name="a")
