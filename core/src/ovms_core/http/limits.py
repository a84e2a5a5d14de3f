"""Limits on what a client may send, kept before anything is held in memory."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive, Scope

from ovms_core.errors import APIError
from ovms_core.settings import Settings

_CLOSE = {"connection": "close"}


class BodyBudget:
    """The bytes that request bodies hold, each and all together."""

    def __init__(self, settings: Settings) -> None:
        self._each = settings.max_body_size
        self._all = settings.max_body_memory
        self._timeout = settings.body_timeout
        self._held = 0

    def meter(self, scope: Scope, receive: Receive) -> BodyMeter:
        """A `receive` that keeps the limits. Raises `APIError` 413 for a body that announces too much."""
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self._each:
                raise self._too_large()
        return BodyMeter(self, receive, self._timeout)

    def take(self, size: int, sofar: int) -> None:
        """Count `size` more bytes of a body of `sofar`. Raises `APIError` 413, or 503 when memory is short."""
        if sofar + size > self._each:
            raise self._too_large()
        if self._held + size > self._all:
            raise APIError(503, "Too many large requests at once.", code="overloaded", retry_after=1, headers=_CLOSE)
        self._held += size

    def give_back(self, size: int) -> None:
        """A body of `size` bytes is no longer held."""
        self._held -= size

    def _too_large(self) -> APIError:
        message = f"The request body is larger than {self._each} bytes (max_body_size)."
        return APIError(413, message, code="body_too_large", headers=_CLOSE)


class BodyMeter:
    """Receives one request's body within its limits of size and time."""

    __slots__ = ("_budget", "_complete", "_deadline", "_late", "_receive", "_sofar")

    def __init__(self, budget: BodyBudget, receive: Receive, timeout: float) -> None:
        self._budget = budget
        self._receive = receive
        self._deadline = asyncio.get_running_loop().time() + timeout
        self._sofar = 0
        self._complete = False
        self._late = False

    async def __call__(self) -> Message:
        if self._complete:
            return await self._receive()
        message = await self._receive_in_time()
        if message["type"] == "http.request":
            self._count(len(message.get("body", b"")))
        self._complete = not message.get("more_body", False)
        return message

    async def _receive_in_time(self) -> Message:
        """As `asyncio.timeout_at` would have it, at a third of its price: this is on the way of every request."""
        task = asyncio.current_task()
        assert task is not None
        timer = asyncio.get_running_loop().call_at(self._deadline, self._expire, task)
        try:
            return await self._receive()
        except asyncio.CancelledError:
            if not self._late:
                raise
            task.uncancel()
            raise APIError(
                408, "The request body did not arrive in time.", code="body_timeout", headers=_CLOSE
            ) from None
        finally:
            timer.cancel()

    def _expire(self, task: asyncio.Task[None]) -> None:
        self._late = True
        task.cancel()

    def _count(self, size: int) -> None:
        self._budget.take(size, self._sofar)
        self._sofar += size

    def close(self) -> None:
        """The request is over; its body is no longer held."""
        self._budget.give_back(self._sofar)
