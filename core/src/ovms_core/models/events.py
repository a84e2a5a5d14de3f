"""Changes of the served models, and who is told of them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from ovms_core.models.model import Model, Status

log = logging.getLogger("ovms.models")


class Change(StrEnum):
    """What happened to a model."""

    ADDED = "added"
    REPLACED = "replaced"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class ModelEvent:
    """A change of the served models; `status` is that of `model` at that moment.

    `CHANGED` means a new status, or that the model's task and variants have become known. With `REPLACED`, `model` has
    taken the place of `replaced`.
    """

    change: Change
    model: Model
    status: Status
    replaced: Model | None = None

    @property
    def gone(self) -> Model | None:
        """The model that is served no more, if any."""
        return self.model if self.change is Change.REMOVED else self.replaced


Subscriber = Callable[[ModelEvent], None]
"""Called on the event loop, so it must be brief."""


class Subscribers:
    """Those who want to know. One that raises is logged, and harms nobody.

    All hear all events in the same order: what a subscriber itself causes is told after what it was called for.
    """

    def __init__(self) -> None:
        self._subscribers: dict[object, Subscriber] = {}
        self._untold: deque[ModelEvent] = deque()
        self._telling = False

    def add(self, subscriber: Subscriber) -> Callable[[], None]:
        """Tell `subscriber` every event from now on. Returns what ends that; calling it again does nothing."""
        key = object()
        self._subscribers[key] = subscriber
        return partial(self._forget, key)

    def tell(self, event: ModelEvent) -> None:
        """Tell all."""
        self._untold.append(event)
        if self._telling:
            return  # a subscriber caused it: those that are being told something now hear this next
        self._telling = True
        try:
            while self._untold:
                self._tell_all(self._untold.popleft())
        finally:
            self._telling = False

    def _tell_all(self, event: ModelEvent) -> None:
        for subscriber in tuple(self._subscribers.values()):
            try:
                subscriber(event)
            except Exception:
                log.exception("a subscriber failed: model %s was %s", event.model.name, event.change)

    def _forget(self, key: object) -> None:
        self._subscribers.pop(key, None)
