"""A request on its way through a model: what it gained, and who waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final

from ovms_core.diagnostics.request_id import current_request_id
from ovms_core.errors import APIError
from ovms_core.messages import Request

log = logging.getLogger("ovms.model")

UNREAD_LIMIT: Final = 4 << 20
"""Bytes of events that may wait for a reader who is busy with earlier ones."""

_HISTORY_LIMIT = 64 << 10
"""Bytes of events that are kept until `Request.resumed` makes a shorter record of them."""


class PendingRequest:
    """One request. Events are pushed from the worker's side and taken by the one who submitted it.

    `deaths` counts the deaths in a row of engines that had it in flight. `fresh` is true from the
    moment it is sent to an engine until it gains something there. `unread` is the size of the events that
    have not been taken, in bytes. `origin` is the id of the HTTP request that it belongs to, as far as there is one.
    """

    __slots__ = (
        "_ended",
        "_error",
        "_history",
        "_history_size",
        "_inbox",
        "_may_resume",
        "_reader_is_busy",
        "_untouched",
        "_waiter",
        "deaths",
        "fresh",
        "id",
        "origin",
        "request",
        "sent_at",
        "unread",
    )

    def __init__(self, id: int, request: Request) -> None:
        self.id = id
        self.request = request
        self.origin = current_request_id.get()
        self.deaths = 0
        self.fresh = True
        self.sent_at = 0.0
        self.unread = 0
        self._inbox: list[Any] = []
        self._history: list[Any] = []
        self._history_size = 0
        self._may_resume = type(request).resumed is not Request.resumed
        self._untouched = True
        self._reader_is_busy = False
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._error: APIError | None = None

    @property
    def behind(self) -> bool:
        """Whether the reader takes events more slowly than they come, and too much waits; a single event never does."""
        return self._reader_is_busy and self.unread > UNREAD_LIMIT and len(self._inbox) > 1

    def push(self, event: Any, size: int) -> None:
        """Hand over an event that takes about `size` bytes."""
        self.fresh = self._untouched = False
        self.unread += size
        self._inbox.append(event)
        if self._may_resume:
            self._history.append(event)
            self._history_size += size
            if self._history_size > _HISTORY_LIMIT:
                self._shorten_history()
        self._wake()

    def finish(self, error: APIError | None = None) -> None:
        """No more events come; with `error`, because the request failed. The error is this request's own."""
        self._ended = True
        self._error = error
        self._wake()

    async def take(self) -> Sequence[Any]:
        """The events since the last time, at least one; empty at the end. Raises the request's error."""
        self._reader_is_busy = False
        if not self._inbox and not self._ended:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self._inbox:
            events, self._inbox, self.unread = self._inbox, [], 0
            self._reader_is_busy = True
            return events
        if self._error is not None:
            raise self._error
        return ()

    def resume(self) -> bool:
        """Make the request continue after what it gained; false when it cannot.

        One that gained nothing is sent again as it was, whether it could continue or not.
        """
        if self._history:
            self._shorten_history()
        return self._may_resume or self._untouched

    def _shorten_history(self) -> None:
        try:
            resumed = self.request.resumed(self._history)
        except Exception:
            log.exception("%s.resumed failed", type(self.request).__name__)
            resumed = None
        self._may_resume = resumed is not None
        self.request = resumed or self.request
        self._history, self._history_size = [], 0

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
