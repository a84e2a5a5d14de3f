"""One timer for all requests of an endpoint, which only those that last come to notice."""

from __future__ import annotations

import asyncio
from typing import Protocol

_CHECK_EVERY = 0.05
"""Seconds between two ticks of a `LongRequestTimer`."""


class LongRequest(Protocol):
    """What may last."""

    def attend(self) -> None:
        """The request lasts: watch its client and its time from now on."""


class LongRequestTimer:
    """Tells requests that have not ended by its next tick to attend to their clients.

    A timer for every request would cost more than most requests do.
    """

    def __init__(self) -> None:
        self._new: set[LongRequest] = set()
        self._armed_in: asyncio.AbstractEventLoop | None = None

    def add(self, request: LongRequest, loop: asyncio.AbstractEventLoop) -> None:
        """A request has begun."""
        if self._armed_in is not loop:  # one that ended before its tick never checks
            self._armed_in, self._new = loop, set()
            loop.call_later(_CHECK_EVERY, self._check, loop)
        self._new.add(request)

    def remove(self, request: LongRequest) -> None:
        """A request is over."""
        self._new.discard(request)

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._armed_in is not loop:
            return
        self._armed_in = None
        lasting, self._new = self._new, set()
        for request in lasting:
            request.attend()
