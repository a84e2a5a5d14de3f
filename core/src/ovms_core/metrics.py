"""Metrics in the Prometheus text format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ovms_core.endpoint import Call
from ovms_core.models.model import State
from ovms_core.models.registry import Models
from ovms_core.observe import Observer, Outcome

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_LABELS = ("endpoint", "model")


log = logging.getLogger("ovms.metrics")


def registry_of(models: Models, observers: Mapping[str, Observer]) -> CollectorRegistry:
    """The metrics of `models`, and those of the plugins' `observers`. What has no place among them is left out."""
    registry = CollectorRegistry()
    registry.register(ModelMetrics(models))
    for owner, observer in observers.items():
        for collector in observer.collectors:
            try:
                registry.register(collector)
            except ValueError as error:
                log.error("plugin %s: a metric is left out: %s", owner, error)
    return registry


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
