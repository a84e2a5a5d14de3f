"""Who holds the event loop is said while it does, and how long it did afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvloop
from prometheus_client import Histogram
from tests.core.support import plugin, talking, until

from ovms_core.plugin import Call
from ovms_core.testing import app_with, connected
from ovms_core.watch.lag import HELD, LagWatch

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@contextmanager
def watching(stalls: Histogram) -> Iterator[LagWatch]:
    watch = LagWatch(stalls)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


def holding(caplog: pytest.LogCaptureFixture) -> Callable[[Any], AsyncIterator[str]]:
    """An executor that does not let go of the event loop before the log says so."""

    async def execute(call: Any) -> AsyncIterator[str]:
        deadline = time.monotonic() + 30
        while "is blocked by" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)
        yield "done"

    return execute


@pytest.mark.parametrize("loop", LOOPS)
def test_the_plugin_the_endpoint_and_the_line_are_told_then_the_seconds_and_both_only_once(
    loop: Callable[[], asyncio.AbstractEventLoop], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        app = app_with(talking(holding(caplog)))
        async with connected(app) as client:
            with watching(app.server.metrics.stalls):
                assert (await client.post("/v1/talk", json={})).json() == {"text": "done"}
                await until(lambda: "was blocked for" in caplog.text)
            metrics = (await client.get("/metrics")).text
        assert 'ovms_event_loop_stall_seconds_count{endpoint="/talk"} 1.0' in metrics

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())
    during, after = [record.getMessage() for record in caplog.records if record.name == "ovms.loop"]
    assert during.startswith(f"the event loop is blocked by plugin 'talk', POST /talk at {__file__}:")
    assert "in execute" in during
    assert "asyncio.to_thread" in during
    assert after.startswith("the event loop was blocked for ")
    assert "by plugin 'talk', POST /talk at " in after


async def test_an_interceptor_that_holds_the_loop_is_told_by_its_own_name(caplog: pytest.LogCaptureFixture) -> None:
    async def guard(call: Call[Any], proceed: Any) -> AsyncIterator[Any]:
        async for event in holding(caplog)(call):
            yield event

    async def silent(call: Call[Any]) -> AsyncIterator[str]:
        yield ""

    app = app_with(talking(silent), plugin("guard", ovms_wrap_execution=lambda: guard))
    async with connected(app) as client:
        with watching(app.server.metrics.stalls):
            await client.post("/v1/talk", json={})
    assert "blocked by plugin 'guard', POST /talk" in caplog.text


async def test_a_task_of_a_plugins_own_is_told_by_its_name(caplog: pytest.LogCaptureFixture) -> None:
    async def refresh() -> None:
        async for _ in holding(caplog)(None):
            pass

    with watching(Histogram("stalls", "", ("endpoint",), registry=None)):
        await asyncio.create_task(refresh(), name="notes: refresh")
    assert f"the event loop is blocked by the task 'notes: refresh' at {__file__}:" in caplog.text


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_that_waits_or_has_much_to_do_is_not_held(
    loop: Callable[[], asyncio.AbstractEventLoop], caplog: pytest.LogCaptureFixture
) -> None:
    async def brief() -> None:
        for _ in range(20):
            time.sleep(0.005)
            await asyncio.sleep(0)

    async def main() -> None:
        stalls = Histogram("stalls", "", ("endpoint",), registry=None)
        with watching(stalls):
            await asyncio.sleep(2 * HELD)
            await asyncio.gather(*(brief() for _ in range(10)))
        assert all(metric.samples == [] for metric in stalls.collect())

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())
    assert [record for record in caplog.records if record.name == "ovms.loop"] == []


def test_seconds_in_which_the_process_could_not_run_do_not_count() -> None:
    """A machine that was suspended, or has no processor to spare."""
    watch = LagWatch(Histogram("stalls", "", ("endpoint",), registry=None))

    async def main() -> None:
        watch.start()
        watch.stop()
        for _ in range(20):
            watch._look(time.monotonic() + 60, 0.0)
        assert not watch._told
        for _ in range(2):
            watch._look(time.monotonic() + 60, HELD)
        assert watch._told

    asyncio.run(main())
