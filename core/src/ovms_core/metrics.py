"""Metrics in the Prometheus text format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ovms_core.calls.endpoint import Call
from ovms_core.calls.observe import Observer, Outcome
from ovms_core.models.model import State
from ovms_core.models.registry import Models

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_STALLS = (0.5, 1, 2.5, 5, 10, 30, 60, 300)
_LABELS = ("endpoint", "model")

log = logging.getLogger("ovms.metrics")


class Metrics:
    """The metrics of `models` and of the plugins. What fails is logged and left out.

    So is what has a name that is taken: `warn` is told of it, with the plugin's name.
    """

    def __init__(
        self, models: Models, collectors: Iterable[tuple[str, Collector]], warn: Callable[[str, str], None]
    ) -> None:
        self._warn = warn
        self._names = CollectorRegistry()
        self._shown: list[_Shown] = []
        self.stalls = Histogram(
            "ovms_event_loop_stall_seconds",
            "How long one request held the event loop, if longer than 0.25 s",
            ("endpoint",),
            buckets=_STALLS,
            registry=None,
        )
        self._add("core", ModelMetrics(models))
        self._add("core", self.stalls)
        for owner, collector in collectors:
            self._add(owner, collector)

    def _add(self, owner: str, collector: Collector) -> None:
        try:
            self._names.register(collector)
        except ValueError:
            names = ", ".join(sorted({metric.name for metric in collector.collect()}))
            taken = f"for plugin {self._holder(collector)} has one of that name: call it something else"
            self._warn(owner, f"its metric {names} is left out, {taken}")
        except Exception:
            log.exception("plugin %s: the metric %s is left out", owner, type(collector).__name__)
        else:
            self._shown.append(_Shown(owner, collector))

    def _holder(self, collector: Collector) -> str:
        """The plugin with a metric of the same name."""
        return next(shown.owner for shown in self._shown if shown.clashes(collector))

    def text(self) -> bytes:
        """All metrics as they are now."""
        return b"".join(shown.text() for shown in self._shown)


@dataclass(slots=True)
class _Shown:
    """A collector of the plugin `owner`. Each is written by itself, so that one that fails does not take the others."""

    owner: str
    collector: Collector
    failed: bool = False

    def clashes(self, other: Collector) -> bool:
        registry = CollectorRegistry()
        registry.register(self.collector)
        try:
            registry.register(other)
        except ValueError:
            return True
        return False

    def text(self) -> bytes:
        try:
            return generate_latest(self.collector)
        except Exception:
            if not self.failed:
                self.failed = True
                name = type(self.collector).__name__
                log.exception("plugin %s: the collector %s failed. Its metrics are left out.", self.owner, name)
            return b""


class RequestMetrics(Observer):
    """Counts and times calls, by endpoint and model."""

    def __init__(self) -> None:
        first = _histogram("ovms_first_byte_seconds", "Time to the first byte of a stream", _LABELS)
        duration = _histogram("ovms_request_seconds", "Duration of calls, by status", (*_LABELS, "status"))
        self.collectors = (first, duration)
        # To find the series for some labels costs more than to count in it.
        self._first = lru_cache(maxsize=1024)(first.labels)
        self._duration = lru_cache(maxsize=4096)(duration.labels)

    def call_ended(self, call: Call[Any], outcome: Outcome) -> None:
        labels = _labels(call)
        self._duration(*labels, outcome.status).observe(outcome.duration)
        if call.stream and outcome.first_byte is not None:
            self._first(*labels).observe(outcome.first_byte - outcome.started)


def _histogram(name: str, text: str, labels: tuple[str, ...]) -> Histogram:
    return Histogram(name, text, labels, buckets=_SECONDS, registry=None)


def _labels(call: Call[Any]) -> tuple[str, str]:
    return call.endpoint.path, call.model.name if call.model else ""


class ModelMetrics(Collector):
    """The state, queue and restarts of every model, read when asked for."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def collect(self) -> Iterable[Metric]:
        """The metrics as they are now."""
        up = GaugeMetricFamily("ovms_model_ready", "1 while a model is ready", labels=["model"])
        waiting = GaugeMetricFamily("ovms_model_waiting", "Requests that wait", labels=["model"])
        in_flight = GaugeMetricFamily("ovms_model_in_flight", "Requests in the engine", labels=["model"])
        parked = GaugeMetricFamily("ovms_model_parked", "Requests whose clients read slowly", labels=["model"])
        restarts = GaugeMetricFamily("ovms_model_restarts", "Times the engine was replaced", labels=["model"])
        for model in self._models:
            up.add_metric([model.name], float(model.state is State.READY))
            if model.runner is not None:
                load = model.runner.load()
                waiting.add_metric([model.name], load.waiting)
                in_flight.add_metric([model.name], load.in_flight)
                parked.add_metric([model.name], load.parked)
                restarts.add_metric([model.name], load.restarts)
        return up, waiting, in_flight, parked, restarts
