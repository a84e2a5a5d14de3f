"""The plugins' metrics, in ``GET /metrics``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from tests.core.support import echo, plugin, raising, talking

from ovms_core.plugin import Observer
from ovms_core.testing import app_with, connected


def counting(owner: str, name: str) -> object:
    """A plugin that counts calls in a metric of this name."""
    calls = Counter(name, "Calls that began", registry=None)
    observer = Observer()
    observer.call_started = lambda call: calls.inc()  # type: ignore[method-assign]
    return plugin(owner, ovms_observe=lambda: observer, ovms_register_metrics=lambda: [calls])


@pytest.mark.parametrize("thief", ["a-thief", "thief"])
async def test_what_a_plugin_counts_is_shown_and_a_name_that_is_taken_is_left_out(
    caplog: pytest.LogCaptureFixture, thief: str
) -> None:
    plugins = [counting("mine", "calls"), counting(thief, "ovms_request_seconds"), counting("twin", "calls")]
    async with connected(app_with(talking(echo), *plugins)) as client:
        for _ in range(2):
            await client.post("/v1/talk", json={"text": "a"})
        text = (await client.get("/metrics")).text
    assert text.count("\ncalls_total 2.0\n") == 1
    assert text.count("# TYPE ovms_request_seconds ") == 1
    assert "# TYPE ovms_request_seconds histogram" in text
    for owner, name, other in ((thief, "ovms_request_seconds", "core"), ("twin", "calls", "mine")):
        assert f"plugin {owner}: its metric {name} is left out, for plugin {other} has one of that name" in caplog.text


async def test_every_application_counts_its_own_requests() -> None:
    for _ in range(2):
        async with connected(app_with(talking(echo))) as client:
            await client.post("/v1/talk", json={"text": "a"})
            assert (
                'ovms_request_seconds_count{endpoint="/talk",model="",status="200"} 1.0'
                in (await client.get("/metrics")).text
            )


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
    calls = Counter("calls", "Calls", registry=None)
    shaky = plugin("a-shaky", ovms_register_metrics=lambda: [Failing(failure), calls])
    async with connected(app_with(talking(echo), shaky)) as client:
        answers = [await client.get("/metrics") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert ["\nshaky 1.0\n" in answer.text for answer in answers] == [True, False, False]
    assert all("\ncalls_total 0.0\n" in answer.text and "ovms_model_ready" in answer.text for answer in answers)
    failed = [record.getMessage() for record in caplog.records if record.name == "ovms.metrics"]
    assert failed == ["plugin a-shaky: the collector Failing failed. Its metrics are left out."]


@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        ([3], "returned 3 in its list of collectors of prometheus_client: it has no method collect()"),
        ([Failing], "return an object of it, Failing()"),
        (Counter("a", "A", registry=None), "returned a Counter, not a list of collectors"),
    ],
)
async def test_what_is_no_metric_is_told_and_the_plugin_serves_on(metrics: Any, reason: str) -> None:
    app = app_with(talking(echo, ovms_register_metrics=lambda: metrics))
    (report,) = (each for each in app.server.plugins if each.name == "talk")
    assert reason in report.warnings[0]
    async with connected(app) as client:
        assert (await client.post("/v1/talk", json={"text": "a"})).status_code == 200
        assert (await client.get("/metrics")).status_code == 200
