"""A fetch on a thread tells the event loop how far it is, in few words."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ovms_core.models.fetch_report import FetchReport
from ovms_core.plugin import SourceError


def on_a_thread(report: FetchReport, *done: int, total: int | None = 100) -> None:
    """Report from another thread, while the event loop waits."""

    def fetch() -> None:
        for each in done:
            report(each, total)

    thread = threading.Thread(target=fetch)
    thread.start()
    thread.join()


async def test_what_a_busy_loop_has_missed_is_told_once() -> None:
    told: list[str] = []
    report = FetchReport(told.append)
    on_a_thread(report, *range(100))
    assert told == []
    await asyncio.sleep(0)
    assert told == ["fetching, 99%"]


async def test_what_says_the_same_is_not_told_again() -> None:
    told: list[str] = []
    report = FetchReport(told.append)
    for done in range(3 << 20, 5 << 20, 1 << 18):
        on_a_thread(report, done, total=None)
        await asyncio.sleep(0)
    assert told == ["fetching, 3 MiB", "fetching, 4 MiB"]


async def test_a_fetch_that_nobody_wants_any_more_stops_and_says_no_more() -> None:
    told: list[str] = []
    report = FetchReport(told.append)
    on_a_thread(report, 1)
    report.stop()
    with pytest.raises(SourceError):
        report(2, 100)
    await asyncio.sleep(0)
    assert told == []
