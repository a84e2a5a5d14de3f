"""Metrics are collected from observers."""

from __future__ import annotations

import pytest
from prometheus_client import Counter
from tests.core.support import echo, plugin, talking

from ovms_core.plugin import Observer
from ovms_core.testing import app_with, connected


class Counting(Observer):
    """An observer with a metric."""

    def __init__(self, name: str) -> None:
        self.calls = Counter(name, "Calls that began", registry=None)
        self.collectors = [self.calls]

    def call_started(self, call: object) -> None:
        self.calls.inc()


async def test_what_an_observer_counts_is_shown_and_a_name_that_is_taken_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    names = {"mine": "calls", "thief": "ovms_request_seconds"}
    counting = [plugin(owner, ovms_observe=lambda name=name: Counting(name)) for owner, name in names.items()]
    async with connected(app_with(talking(echo), *counting)) as client:
        for _ in range(2):
            await client.post("/v1/talk", json={"text": "a"})
        text = (await client.get("/metrics")).text
    assert "\ncalls_total 2.0\n" in text
    assert text.count("# TYPE ovms_request_seconds ") == 1
    assert "plugin thief: a metric is left out" in caplog.text
