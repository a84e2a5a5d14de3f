"""From what the engine says to typed events, for all choices of one prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ovms_llm.messages import Channel, Delta, Started
from ovms_llm.speech.listening import Listener


class Hearing:
    """Hears the engine's events. Every choice has a listener, made for what the prompt has its answer begin with."""

    def __init__(self, listener: Callable[[Channel], Listener]) -> None:
        self._new_listener = listener
        self._channel: Channel = "content"
        self._listeners: dict[int, Listener] = {}

    def hear(self, event: Any) -> Iterable[Any]:
        """The events that `event` becomes."""
        if isinstance(event, Delta):
            listener = self._listeners.get(event.index)
            if listener is None:
                listener = self._listeners[event.index] = self._new_listener(self._channel)
            return listener.hear(event)
        if isinstance(event, Started):
            self._channel = event.channel
        return (event,)
