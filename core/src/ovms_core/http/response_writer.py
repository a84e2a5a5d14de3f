"""Writes the answer to one request: when headers go out, what keeps a stream alive, who sees that the client left."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Self, cast

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from ovms_core.calls.endpoint import Call, Formatter
from ovms_core.errors import APIError, request_timed_out
from ovms_core.http.errors import cut_short, stopping
from ovms_core.http.headers import raw_headers, with_headers
from ovms_core.http.long_requests import LongRequestTimer
from ovms_core.http.remarks import remarks
from ovms_core.settings import Settings

LAST_WORDS = 5.0
"""Seconds in which a stream that failed must get rid of its error: its client may have stopped reading."""


class ClientGoneError(Exception):
    """The client left before its answer was complete."""


class ResponseWriter:
    """Sends the answer to one request, on behalf of the task that entered it.

    That task is cancelled when the client leaves (raises `ClientGoneError` on exit) or when the
    request's time is up (raises `APIError` 504). A stream whose `formatter` has a `keep_alive` gets its headers after
    ``prime_timeout`` even when nothing has come yet, and `keep_alive` whenever it was silent for ``ping_interval``.
    Tasks and timers exist only for requests that last.
    """

    __slots__ = (
        "_call",
        "_ended",
        "_formatter",
        "_interruption",
        "_long_requests",
        "_loop",
        "_owner",
        "_receive",
        "_scope",
        "_send",
        "_sent_at",
        "_settings",
        "_tasks",
        "_timer",
        "_turn",
        "started_at",
    )

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        settings: Settings,
        *,
        call: Call[Any],
        formatter: Formatter,
        long_requests: LongRequestTimer,
    ) -> None:
        self.started_at: float | None = None
        self._scope = scope
        self._receive = receive
        self._send = send
        self._settings = settings
        self._call = call
        self._formatter = formatter
        self._long_requests = long_requests
        self._interruption: APIError | ClientGoneError | None = None
        self._ended = False
        self._sent_at = time.monotonic()
        self._turn = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def started(self) -> bool:
        """Whether the response's headers have been sent."""
        return self.started_at is not None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._owner = cast("asyncio.Task[object]", asyncio.current_task(self._loop))
        self._long_requests.add(self, self._loop)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._long_requests.remove(self)
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        interruption = self._take_interruption()
        if isinstance(error, asyncio.CancelledError) and interruption is not None:
            raise interruption from None
        if isinstance(error, OSError) and isinstance(interruption, ClientGoneError):
            raise interruption from None

    def absorb(self, error: BaseException) -> APIError | None:
        """What to tell a client whose stream has started about `error`; `None` when it must go on as it is."""
        if not self.started:
            self._ended = True  # or else a ping might still turn the error into a stream
            return None
        if isinstance(error, asyncio.CancelledError) and cut_short():
            return self._absorb_cancellation()
        return error if isinstance(error, APIError) else None

    def _absorb_cancellation(self) -> APIError | None:
        if self._interruption is None:
            self._owner.uncancel()
            return stopping()
        return cast(APIError, self._take_interruption()) if isinstance(self._interruption, APIError) else None

    def _interrupt(self, reason: APIError | ClientGoneError) -> None:
        if self._ended or self._interruption is not None:
            return
        self._interruption = reason
        self._owner.cancel()

    def _take_interruption(self) -> APIError | ClientGoneError | None:
        reason, self._interruption = self._interruption, None
        if reason is not None:
            self._owner.uncancel()
        return reason

    # -- sending

    async def send_response(self, response: Response) -> None:
        """Send a whole response."""
        if self._call.ignored or self._call.warnings:
            response.raw_headers += raw_headers(remarks(self._call.ignored, self._call.warnings))
        if self._call.headers:
            response.raw_headers = with_headers(response.raw_headers, self._call.headers)
        self.started_at = time.perf_counter()
        await response(self._scope, self._receive, self._send_noting_the_end)

    def _send_noting_the_end(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._ended = True  # before the server says so, by a disconnect: middleware may still be at work
        return self._send(message)

    async def send_frame(self, frame: bytes) -> None:
        """Send a frame of the stream, after the headers if it is the first."""
        async with self._turn:
            if not self.started:
                await self._start()
            self._sent_at = time.monotonic()
            await self._send({"type": "http.response.body", "body": frame, "more_body": True})

    async def end(self) -> None:
        """End the stream."""
        self._ended = True
        async with self._turn:
            if not self.started:
                await self._start()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def fail(self, last: bytes) -> None:
        """End the stream with `last`, if the client reads it soon; else leave it without an end, to be closed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await self.send_frame(last)
                await self.end()

    async def _start(self) -> None:
        headers = self._formatter.stream_headers(self._call) | remarks(self._call.ignored, self._call.warnings)
        raw = with_headers(raw_headers(headers), self._call.headers) if self._call.headers else raw_headers(headers)
        self.started_at = time.perf_counter()
        await self._send({"type": "http.response.start", "status": 200, "headers": raw})

    # -- what goes on meanwhile

    def attend(self) -> None:
        """The request lasts: watch its client and its time from now on."""
        self._tasks.append(self._loop.create_task(self._watch()))
        self._timer = self._loop.call_later(self._settings.request_timeout, self._expire)
        if self._call.stream and (keep_alive := self._formatter.keep_alive) is not None:
            self._tasks.append(self._loop.create_task(self._keep_alive(keep_alive)))

    async def _watch(self) -> None:
        try:
            while (await self._receive())["type"] != "http.disconnect":
                pass
        except APIError as error:  # a body that nobody asked for, over its limits
            self._interrupt(error)
        else:
            self._interrupt(ClientGoneError())

    def _expire(self) -> None:
        self._interrupt(request_timed_out(self._settings.request_timeout))

    async def _keep_alive(self, frame: bytes) -> None:
        with contextlib.suppress(OSError):  # the client left, as `_watch` will tell
            while not self._ended:
                patience = self._settings.ping_interval if self.started else self._settings.prime_timeout
                left = self._sent_at + patience - time.monotonic()
                if left > 0:
                    await asyncio.sleep(min(left, self._settings.ping_interval))
                else:
                    await self.send_frame(frame)
