"""A request on its way through a model: what it gained, and who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ovms_core.errors import APIError
from ovms_core.messages import Request


class PendingRequest:
    """One request. Events are pushed from the worker's side and taken by the one who submitted it.

    `deaths` counts the deaths in a row of engines that had it in flight. `fresh` is true from the
    moment it is sent to an engine until it gains something there.
    """

    __slots__ = ("_ended", "_error", "_inbox", "_waiter", "deaths", "fresh", "history", "id", "request", "sent_at")

    def __init__(self, id: int, request: Request) -> None:
        self.id = id
        self.request = request
        self.history: list[Any] = []
        self.deaths = 0
        self.fresh = True
        self.sent_at = 0.0
        self._inbox: list[Any] = []
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._error: APIError | None = None

    def push(self, event: Any) -> None:
        """Hand over an event."""
        self.fresh = False
        self.history.append(event)
        self._inbox.append(event)
        self._wake()

    def finish(self, error: APIError | None = None) -> None:
        """No more events come; with `error`, because the request failed."""
        self._ended = True
        self._error = error
        self._wake()

    async def take(self) -> Sequence[Any]:
        """The events since the last time, at least one; empty at the end. Raises the request's error."""
        if not self._inbox and not self._ended:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self._inbox:
            events, self._inbox = self._inbox, []
            return events
        if self._error is not None:
            raise self._error.with_traceback(None)  # one error may end many requests
        return ()

    def resume(self) -> bool:
        """Make the request continue after what it gained; false when it cannot."""
        if not self.history:
            return True
        resumed = self.request.resumed(self.history)
        if resumed is None:
            return False
        self.request = resumed
        self.history = []
        return True

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
