"""Metrics are collected from observers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from tests.core.support import echo, plugin, raising, talking

from ovms_core.plugin import Observer
from ovms_core.testing import app_with, connected


class Counting(Observer):
    """An observer with a metric."""

    def __init__(self, name: str) -> None:
        self.calls = Counter(name, "Calls that began", registry=None)
        self.collectors = [self.calls]

    def call_started(self, call: object) -> None:
        self.calls.inc()


@pytest.mark.parametrize("thief", ["a-thief", "thief"])
async def test_what_an_observer_counts_is_shown_and_a_name_that_is_taken_is_left_out(
    caplog: pytest.LogCaptureFixture, thief: str
) -> None:
    names = {"mine": "calls", thief: "ovms_request_seconds"}
    counting = [plugin(owner, ovms_observe=lambda name=name: Counting(name)) for owner, name in names.items()]
    async with connected(app_with(talking(echo), *counting)) as client:
        for _ in range(2):
            await client.post("/v1/talk", json={"text": "a"})
        text = (await client.get("/metrics")).text
    assert "\ncalls_total 2.0\n" in text
    assert text.count("# TYPE ovms_request_seconds ") == 1
    assert "# TYPE ovms_request_seconds histogram" in text
    assert f"plugin {thief}: a metric is left out" in caplog.text


class Failing(Collector):
    """A collector that has a metric at first, and then raises or gives what is none."""

    def __init__(self, failure: Callable[[], Any]) -> None:
        self._failures = iter([lambda: 1.0, failure, failure])

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("shaky", "Works at first", value=next(self._failures)())


@pytest.mark.parametrize("failure", [raising(OSError("the database is down")), lambda: "many"])
async def test_a_collector_that_fails_is_left_out_of_the_metrics_and_logged_once(
    caplog: pytest.LogCaptureFixture, failure: Callable[[], Any]
) -> None:
    class Shaky(Counting):
        def __init__(self) -> None:
            super().__init__("calls")
            self.collectors = [Failing(failure), self.calls]

    async with connected(app_with(talking(echo), plugin("a-shaky", ovms_observe=lambda: Shaky()))) as client:
        answers = [await client.get("/metrics") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert ["\nshaky 1.0\n" in answer.text for answer in answers] == [True, False, False]
    assert all("\ncalls_total 0.0\n" in answer.text and "ovms_model_ready" in answer.text for answer in answers)
    failed = [record.getMessage() for record in caplog.records if record.name == "ovms.metrics"]
    assert failed == ["plugin a-shaky: the collector Failing failed. Its metrics are left out."]


async def test_an_observer_of_no_class_of_ours_observes_and_what_is_no_collector_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[str] = []
    bare = SimpleNamespace(call_started=lambda call: seen.append("started"), call_ended=lambda call, outcome: None)
    odd = SimpleNamespace(**vars(bare), collectors=[3])
    plugins = [plugin("bare", ovms_observe=lambda: bare), plugin("odd", ovms_observe=lambda: odd)]
    async with connected(app_with(talking(echo), *plugins)) as client:
        assert (await client.post("/v1/talk", json={"text": "a"})).json() == {"text": "a"}
        assert (await client.get("/metrics")).status_code == 200
    assert seen == ["started", "started"]
    assert "plugin odd: the collector int failed. Its metrics are left out." in caplog.text
