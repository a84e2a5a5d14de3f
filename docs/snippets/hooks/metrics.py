"""A plugin with metrics of its own."""

from typing import Any

from prometheus_client import Counter

from ovms_core.plugin import Call, Observer, Outcome, Settings, hookimpl

CALLS = Counter("my_calls", "Calls, by user", ["user"], registry=None)


class CountCalls(Observer):
    def call_ended(self, call: Call[Any], outcome: Outcome) -> None:
        CALLS.labels(call.user or "").inc()


@hookimpl
def ovms_observe(settings: Settings) -> Observer | None:
    return CountCalls()


@hookimpl
def ovms_register_metrics(settings: Settings) -> list[Counter]:
    return [CALLS]
