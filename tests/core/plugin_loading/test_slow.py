"""A plugin that hangs while the server starts is named, with the line where it hangs."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.core.support import echo, plugin, talking

from ovms_core.plugin_loading import slow
from ovms_core.testing import app_with

told = threading.Event()
"""Something was logged of the plugin that is slow."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def tell(record: logging.LogRecord) -> bool:
        if "plugin sluggish" in record.getMessage():  # on a busy machine others are slow, too
            told.set()
        return True

    told.clear()
    monkeypatch.setattr(slow, "PATIENCE", 0.01)
    slow.log.addFilter(tell)
    yield
    slow.log.removeFilter(tell)


def line(text: str) -> str:
    """Where `text` stands in this file."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return f"{__file__}:{next(at for at, each in enumerate(lines, 1) if text in each)}"


def test_a_hook_that_does_not_return_is_told_while_it_hangs(caplog: pytest.LogCaptureFixture) -> None:
    def hang() -> list[object]:
        assert told.wait(20)  # as long as it takes to be told
        return []

    app_with(plugin("sluggish", ovms_register_tasks=hang))
    assert "plugin sluggish delays the start: ovms_register_tasks" in caplog.text
    assert f"is at {line('as long as it takes to be told')} in hang" in caplog.text


async def test_a_lifespan_that_does_not_open_is_told_while_it_hangs(caplog: pytest.LogCaptureFixture) -> None:
    async def connect() -> None:
        while not told.is_set():
            await asyncio.sleep(0)  # it waits for the database

    @asynccontextmanager
    async def database() -> AsyncIterator[None]:
        await connect()
        yield

    async with app_with(plugin("sluggish", ovms_lifespan=lambda: database())).lifespan():
        pass
    assert "plugin sluggish delays the start: ovms_lifespan" in caplog.text
    assert f"{__file__}:" in caplog.text
    assert " in connect" in caplog.text


def test_what_is_quick_is_not_mentioned(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow, "PATIENCE", 60)
    app_with(talking(echo))
    assert "holds up" not in caplog.text
    timers = [each for each in threading.enumerate() if isinstance(each, threading.Timer) and each.interval == 60]
    assert all(timer.finished.is_set() for timer in timers)
