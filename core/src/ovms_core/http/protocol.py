"""uvicorn's HTTP protocol, with limits on what comes before there is a request."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ovms_core.errors import APIError

MAX_HEADERS: Final = 64 << 10
"""Bytes that the request line and the headers may have together."""


class BoundedProtocol(HttpToolsProtocol):
    """Refuses a request whose headers are too large, or that has not arrived whole within ``body_timeout``.

    uvicorn with httptools has no such limits. What is not HTTP at all gets the one error shape as well.
    """

    _size = 0
    _in_headers = True
    _complete = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        settings: Any = self.config.app.state.settings  # type: ignore[union-attr]
        self._patience: float = settings.body_timeout
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_headers:
            self._size += len(data)
            if self._size > MAX_HEADERS:
                self._refuse(
                    APIError(431, f"The headers are larger than {MAX_HEADERS} bytes.", code="headers_too_large")
                )

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._size = 0
        self._begin()

    def on_headers_complete(self) -> None:
        self._in_headers = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._complete = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(APIError(400, f"{msg} Is it HTTP/1.1?", code="invalid_http"))

    def _begin(self) -> None:
        """From now on a request is awaited. A timer that runs already is left alone: to set one costs more."""
        self._in_headers, self._complete = True, False
        self._begun_at = self.loop.time()
        if self._timer is None:
            self._timer = self.loop.call_later(self._patience, self._check)

    def _check(self) -> None:
        self._timer = None
        if self._complete:
            return
        left = self._begun_at + self._patience - self.loop.time()
        if left > 0:
            self._timer = self.loop.call_later(left, self._check)
        else:
            self._expire()

    def _expire(self) -> None:
        """Answer what has begun, unless something else has been answered already; close in any case."""
        if self.cycle is None or self.cycle.response_started:
            self.transport.close()
        else:
            message = "The request did not arrive in time (body_timeout)."
            self._refuse(APIError(408, message, code="body_timeout"))

    def _refuse(self, error: APIError) -> None:
        body = error.document()
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[error.status] + head + body)
        self.transport.close()
