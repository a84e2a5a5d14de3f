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

    def check(self, size: int) -> None:
        """Raise `APIError` 413 if a body of `size` bytes is too large."""
        if size > self._each:
            raise self._too_large()

    def take(self, size: int) -> None:
        """Count `size` more bytes that are held. Raises `APIError` 503 when memory is short."""
        if self._held + size > self._all:
            message = "The server has too many large requests at the moment. Try again later."
            raise APIError(503, message, code="overloaded", retry_after=1, headers=_CLOSE)
        self._held += size

    def give_back(self, size: int) -> None:
        """`size` bytes are no longer held."""
        self._held -= size

    def _too_large(self) -> APIError:
        message = f"The request body is larger than {self._each} bytes (max_body_size)."
        return APIError(413, message, code="body_too_large", headers=_CLOSE)


class BodyMeter:
    """Receives one request's body within its limits. How long it may take is `BoundedProtocol`'s to say.

    `size` is how many bytes have come.
    """

    __slots__ = ("_budget", "_held", "_receive", "_released", "size")

    def __init__(self, budget: BodyBudget, receive: Receive) -> None:
        self._budget = budget
        self._receive = receive
        self.size = 0
        self._held = 0
        self._released = False

    async def __call__(self) -> Message:
        message = await self._receive()
        if body := message.get("body"):
            self.size += len(body)
            self._budget.check(self.size)
            if not self._released:
                self._budget.take(len(body))
                self._held += len(body)
        return message

    def release(self) -> None:
        """The body has been parsed, or its request is over: it is no longer held, nor is what still comes of it."""
        self._budget.give_back(self._held)
        self._held, self._released = 0, True
