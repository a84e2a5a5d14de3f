"""A plugin that logs every call, and counts those of each user."""

import logging
from typing import Any

from prometheus_client import Counter

from ovms_core.plugin import Call, Observer, Outcome, Settings, hookimpl

log = logging.getLogger("my_calls")


class CallLog(Observer):
    def __init__(self) -> None:
        self.calls = Counter("my_calls", "Calls, by user", ["user"], registry=None)
        self.collectors = [self.calls]

    def call_ended(self, call: Call[Any], outcome: Outcome) -> None:
        self.calls.labels(call.user or "").inc()
        log.info("%s %s %s %d %.3f s", call.id, call.user, call.endpoint.path, outcome.status, outcome.duration)


@hookimpl
def ovms_observe(settings: Settings) -> Observer | None:
    return CallLog()
