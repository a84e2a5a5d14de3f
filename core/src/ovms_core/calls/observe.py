"""Observers: told about every call, never felt by it."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ovms_core.calls.endpoint import Call

if TYPE_CHECKING:
    pass

log = logging.getLogger("ovms.observe")


@dataclass(slots=True)
class Outcome:
    """How a call ended: its HTTP status (499 if the client disconnected), and its times in seconds.

    `started` and `first_byte` are read from ``time.perf_counter()``; `first_byte` is `None` when nothing
    was sent.
    """

    status: int = 200
    error: str | None = None
    started: float = field(default_factory=time.perf_counter)
    first_byte: float | None = None
    duration: float = 0.0


class Observer:
    """Derive from it with the methods that you need. They run on the event loop, so they must be fast.

    Nothing is called for every event: what an observer wants of them is in the `Outcome`, or is the
    business of an interceptor. What it counts is shown by ``ovms_register_metrics``.
    """

    def call_started(self, call: Call[Any]) -> None:
        """A request was parsed and will be executed."""

    def call_ended(self, call: Call[Any], outcome: Outcome) -> None:
        """The last byte of a call's answer was sent, or its client disconnected, or it failed."""


class Observers:
    """The observers of all plugins as one. One that raises is logged."""

    def __init__(self, observers: Mapping[str, Observer]) -> None:
        self._observers = [*observers.items()]

    def call_started(self, call: Call[Any]) -> None:
        """Tell all."""
        for _plugin_at_work, observer in self._observers:
            try:
                observer.call_started(call)
            except Exception:
                _log_failure(_plugin_at_work, observer)

    def call_ended(self, call: Call[Any], outcome: Outcome) -> None:
        """Tell all."""
        outcome.duration = time.perf_counter() - outcome.started
        for _plugin_at_work, observer in self._observers:
            try:
                observer.call_ended(call, outcome)
            except Exception:
                _log_failure(_plugin_at_work, observer)


def _log_failure(owner: str, observer: Observer) -> None:
    log.exception("plugin %s: the observer %s failed", owner, type(observer).__name__)
