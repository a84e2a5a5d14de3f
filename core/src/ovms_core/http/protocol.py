"""uvicorn's HTTP protocol, with limits on what comes before there is a request."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import chain
from typing import Any, Final, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from ovms_core.errors import APIError
from ovms_core.http.http10 import Unchunked
from ovms_core.http.request_ids import request_id
from ovms_core.http.routing import RouteTable
from ovms_core.http.sockets import is_handshake

MAX_HEADERS: Final = 64 << 10
"""Bytes that the request line and the headers may have together; also what follows a body in chunks (trailers)."""

MAX_AHEAD: Final = 512 << 10
"""Bytes that a client may send while requests that it sent before are answered."""

MAX_PIPELINED: Final = 100
"""Requests that a client may send while one that it sent before is answered."""


_SOCKET_HEADERS: Final = "The headers of a WebSocket are too many, or one of them is larger than 8 KB."
"""What the library of WebSockets does not read; it is silent then."""

STALLED: Final = 5.0
"""Seconds without anything read after which a connection that is closed on our side is given up."""


class StopParsingError(Exception):
    """Raised in a callback of the parser: the connection is being closed, and what else has come is not read."""


class BoundedProtocol(HttpToolsProtocol):
    """Refuses a request whose headers are too large, or that has not arrived whole within ``body_timeout``.

    uvicorn with httptools has no such limits. What is not HTTP at all gets the one error shape as well.
    An offer to go on in another protocol is declined, but for a WebSocket at a path that has one. Further requests are
    read while one is answered. A client that reads nothing of its answer for ``request_timeout`` is given up.
    """

    _size = 0
    _ahead = 0
    _running: RequestResponseCycle | None = None
    _offers = False
    _complete = False
    _body_came = False
    _timer: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        settings: Any = self.config.app.server.settings  # type: ignore[union-attr]
        self._patience: float = settings.body_timeout
        self._longest: float = settings.request_timeout
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._stop_watching_reader()
        super().connection_lost(exc)
        if (cycle := self._running) is not None:  # uvicorn tells the last that came
            cycle.disconnected = not cycle.response_complete
            cycle.message_event.set()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck_since = self.loop.time()
        self._watch_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_watching_reader()

    def _watch_reader(self) -> None:
        self._unread = self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(min(STALLED, self._longest), self._check_reader)

    def _check_reader(self) -> None:
        """Abort if nothing has been read: to close would wait for the client to read what it has been sent."""
        if self.transport.get_write_buffer_size() < self._unread:
            self._stuck_since = self.loop.time()
        elif self.transport.is_closing() or self.loop.time() >= self._stuck_since + self._longest:
            self.transport.abort()
            return
        self._watch_reader()

    def _stop_watching_reader(self) -> None:
        if self._stall is not None:
            self._stall.cancel()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._body_came = False
        self._parse(data)
        if self.pipeline or self._ahead:
            self._read_on(len(data))
        if self._complete or self.transport.is_closing():
            return
        self._size = 0 if self._body_came else self._size + len(data)
        if self._size > MAX_HEADERS:
            self._refuse_headers()

    def _parse(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserError:
                if self.transport.is_closing():  # `StopParsingError`
                    return
                self.logger.warning("Invalid HTTP request received.")
                self.send_400_response("Invalid HTTP request received.")
                return
            except httptools.HttpParserUpgrade as offer:
                rest = data[offer.args[0] :]
                if self._is_socket(rest):
                    self._open_socket()
                    return
                data = self._declined(rest)

    def _is_socket(self, rest: bytes) -> bool:
        """Whether a WebSocket is asked for where there is one. A client waits for the answer: no `rest` follows."""
        if not self._offers or rest or not self._should_upgrade() or not is_handshake(dict(self.headers)):
            return False
        if self.parser.get_method() != b"GET" or self._is_busy() or not self._offers_in_ascii():
            return False
        routes: RouteTable = self.config.app.server.routes  # type: ignore[union-attr]
        with contextlib.suppress(httptools.HttpParserInvalidURLError):
            return routes.takes_sockets(unquote(httptools.parse_url(self.url).path.decode("ascii")))
        return False

    def _offers_in_ascii(self) -> bool:
        """Whether the headers of the handshake are text, without which the library fails to refuse them."""
        return all(value.isascii() for name, value in self.headers if name.startswith(b"sec-websocket-"))

    def _is_busy(self) -> bool:
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete)

    def _open_socket(self) -> None:
        """Hand the connection over to the protocol of WebSockets, which begins with the request."""
        if self._timer is not None:
            self._timer.cancel()
        self._stop_watching_reader()
        self.scope["method"] = "GET"
        self.handle_websocket_upgrade()
        if not cast(Any, self.transport.get_protocol()).handshake_initiated:
            self._refuse(APIError(431, _SOCKET_HEADERS, code="headers_too_large"))

    def _declined(self, rest: bytes) -> bytes:
        """A request that offers another protocol as if it did not, and the `rest` that follows its headers.

        Java's HTTP client offers HTTP/2 with every request, and httptools takes what follows, the body, for HTTP/2.
        """
        if not self._offers:  # CONNECT, which has been answered
            return b""
        self._offers = False
        head = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        head += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = self._new_parser()
        return b"\r\n".join([*head, b"", rest])

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        with contextlib.suppress(AttributeError):  # httptools < 0.6.3
            parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        return parser

    def _read_on(self, size: int) -> None:
        """Go on reading behind a request that is being answered, or else nobody would notice that its client leaves.

        uvicorn stops reading when the next request is here. What a client sends ahead is bounded instead.
        """
        self._ahead = self._ahead + size if self.pipeline else 0
        if self._ahead > MAX_AHEAD:
            self.transport.close()
        elif self.pipeline and not self.transport.is_closing():
            self.flow.resume_reading()

    def on_body(self, body: bytes) -> None:
        self._body_came = True
        super().on_body(body)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._size = 0
        self._begin()

    def on_headers_complete(self) -> None:
        self._check_bounds()
        self._offers = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self._offers:
            return
        super().on_headers_complete()

    def _check_bounds(self) -> None:
        """Close, and parse no further, if this request's head is too large or it is one too many."""
        if len(self.url) + sum(map(len, chain.from_iterable(self.headers))) > MAX_HEADERS:
            self._refuse_headers()
            raise StopParsingError
        if len(self.pipeline) >= MAX_PIPELINED:
            self.transport.close()
            raise StopParsingError

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        if cycle.scope["http_version"] == "1.0":
            app = Unchunked(app, cycle)
        super()._start_asgi_task(cycle, app)

    def on_message_complete(self) -> None:
        if self._offers:
            return
        self._complete = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(APIError(400, f"{msg} Does the client use HTTP/1.1?", code="invalid_http"))

    def _begin(self) -> None:
        """From now on a request is awaited. A timer that runs already is left alone: to set one costs more."""
        self._complete = False
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
            message = "The request did not arrive within body_timeout."
            self._refuse(APIError(408, message, code="body_timeout"))

    def _refuse_headers(self) -> None:
        self._refuse(APIError(431, f"The headers are larger than {MAX_HEADERS} bytes.", code="headers_too_large"))

    def _refuse(self, error: APIError) -> None:
        """Answer with `error`, unless another answer has begun, and close."""
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            self._write(error)
        self.transport.close()

    def _write(self, error: APIError) -> None:
        body = error.document()
        id = request_id(dict(self.headers or ()).get(b"x-request-id"))
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n" % len(body)
        self.transport.write(STATUS_LINE[error.status] + head + b"x-request-id: %b\r\n\r\n" % id + body)
