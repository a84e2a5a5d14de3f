"""Limits on what a client may send, kept before anything is held in memory."""

from __future__ import annotations

from starlette.types import Message, Receive, Scope

from ovms_core.errors import APIError
from ovms_core.http.encoding import Size, undone
from ovms_core.settings import Settings

_CLOSE = {"connection": "close"}


class BodyBudget:
    """The bytes that request bodies hold, each and all together."""

    def __init__(self, settings: Settings) -> None:
        self._each = settings.max_body_size
        self._all = settings.max_body_memory
        self._held = 0

    def meter(self, scope: Scope, receive: Receive) -> BodyMeter:
        """A `receive` that keeps the limits, with compression undone: what a body holds then counts.

        Raises `APIError` 413 for a body that announces too much, and 415 for a compression that is not known.
        """
        announced = scope["ovms.headers"].get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self._each:
            raise self._too_large()
        return BodyMeter(self, undone(scope, receive, self._size))

    def _size(self) -> Size:
        return Size(self._each, self._too_large)

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
    """Receives one request's body within its limits. How long it may take is `BoundedProtocol`'s to say."""

    __slots__ = ("_budget", "_receive", "_sofar")

    def __init__(self, budget: BodyBudget, receive: Receive) -> None:
        self._budget = budget
        self._receive = receive
        self._sofar = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        if body := message.get("body"):
            self._budget.take(len(body), self._sofar)
            self._sofar += len(body)
        return message

    def close(self) -> None:
        """The request is over; its body is no longer held."""
        self._budget.give_back(self._sofar)
