"""Compressed request bodies, undone before anybody reads them (``Content-Encoding``, RFC 9110, section 8.4).

A body of a few kilobytes may hold gigabytes: it comes out a bounded piece at a time, is over its limit before it is
held, and other requests have their turn in between.
"""

from __future__ import annotations

import asyncio
import sys
import time
import zlib
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from starlette.types import Message, Receive, Scope

from ovms_core.errors import APIError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CODINGS: Final = ("gzip", "deflate", "zstd")
"""The codings that are undone; ``x-gzip`` is gzip (RFC 9110, section 8.4.1.3), ``identity`` is none."""

_PIECE: Final = 128 << 10
_TURN: Final = 0.002
"""Seconds of work after which other requests have their turn."""

_MOST: Final = 4
_LEAST: Final = 1 << 10
"""Bytes that a member counts at least, if it is not the first: millions of empty ones are work too."""

_WINDOW: Final = {int(zstd.DecompressionParameter.window_log_max): 23}
"""8 MiB of memory for a body, the most that zstd may ask for in HTTP (RFC 9659)."""


class _Decoder(Protocol):
    """What undoes one member of a coding; `zlib` has it like this."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def unconsumed_tail(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Zstd:
    """One frame of zstd; it keeps what it has not consumed."""

    unconsumed_tail = b""

    def __init__(self) -> None:
        self._frame = zstd.ZstdDecompressor(options=_WINDOW)

    @property
    def eof(self) -> bool:
        return self._frame.eof

    @property
    def unused_data(self) -> bytes:
        return self._frame.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._frame.decompress(data, max_length)


def _deflate(start: bytes) -> _Decoder:
    """With zlib's header, as the standard has it, or without, as many clients send it."""
    return zlib.decompressobj(15 if start[0] & 15 == 8 else -15)


_DECODERS: Final[dict[str, Callable[[bytes], _Decoder]]] = {
    "gzip": lambda start: zlib.decompressobj(31),
    "deflate": _deflate,
    "zstd": lambda start: _Zstd(),
}


class _Stage:
    """One coding undone: bytes go in, and come out a bounded piece at a time.

    gzip and zstd may have several members, of which the texts follow each other.
    """

    def __init__(self, coding: str, size: Size) -> None:
        self._coding = coding
        self._size = size
        self._decoder: _Decoder | None = None
        self._input = b""
        self._full = False

    @property
    def hungry(self) -> bool:
        """Whether nothing comes out before more goes in."""
        return not self._input and not self._full

    def feed(self, data: bytes) -> None:
        """Take `data`, when `hungry`."""
        self._input = data

    def step(self) -> bytes:
        """The next piece, which may be empty. Raises `APIError` 400, or 413 when it is too much."""
        decoder = self._member()
        try:
            piece = decoder.decompress(self._input, _PIECE)
        except (zlib.error, zstd.ZstdError) as error:
            raise self._garbled(str(error).rpartition(": ")[2]) from None
        self._input = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
        self._full = len(piece) == _PIECE and not decoder.eof
        self._size.add(len(piece))
        return piece

    def end(self) -> None:
        """Nothing more comes. Raises `APIError` 400 if something is missing."""
        if self._decoder is None or not self._decoder.eof:
            raise self._garbled("it ends too early")

    def _member(self) -> _Decoder:
        if self._decoder is None:
            self._decoder = _DECODERS[self._coding](self._input)
        elif self._decoder.eof:
            if self._coding == "deflate":
                raise self._garbled("something follows its end")
            self._size.add(_LEAST)
            self._decoder = _DECODERS[self._coding](self._input)
        return self._decoder

    def _garbled(self, reason: str) -> APIError:
        message = (
            f"The request body is not valid {self._coding}, which its Content-Encoding says it is: {reason}. "
            "Compress the whole body, or omit the header."
        )
        return APIError(400, message, code="invalid_encoding")


class Size:
    """Counts the bytes of one form of a body. Raises what `too_large` gives when there are more than `limit`."""

    def __init__(self, limit: int, too_large: Callable[[], APIError]) -> None:
        self._left = limit
        self._too_large = too_large

    def add(self, count: int) -> None:
        """Count so many more."""
        self._left -= count
        if self._left < 0:
            raise self._too_large()


class Undone:
    """Receives a body with its `codings`, in the order in which they were applied, undone."""

    def __init__(self, receive: Receive, codings: Iterable[str], size: Callable[[], Size]) -> None:
        self._receive = receive
        self._stages = [_Stage(coding, size()) for coding in reversed(list(codings))]
        self._arrived = size()
        self._all_here = False
        self._ended = False
        self._turn_began = time.perf_counter()

    async def __call__(self) -> Message:
        while not self._ended:
            await self._take_turns()
            piece = self._advance()
            if all(stage.hungry for stage in self._stages):
                if self._all_here:
                    self._end()
                elif not piece and (other := await self._take()) is not None:
                    return other
            if piece or self._ended:
                return {"type": "http.request", "body": piece, "more_body": not self._ended}
        return await self._receive()

    def _advance(self) -> bytes:
        """Do a bounded piece of work, where there is any; what comes out, perhaps nothing yet."""
        after: _Stage | None = None
        for stage in reversed(self._stages):
            if not stage.hungry:
                piece = stage.step()
                if after is None:
                    return piece
                after.feed(piece)
                return b""
            after = stage
        return b""

    async def _take(self) -> Message | None:
        """Take more of the body from the client; or the message that says something else."""
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        body = message.get("body", b"")
        self._arrived.add(len(body))
        self._stages[0].feed(body)
        self._all_here = not message.get("more_body", False)
        return None

    async def _take_turns(self) -> None:
        if time.perf_counter() - self._turn_began > _TURN:
            await asyncio.sleep(0)
            self._turn_began = time.perf_counter()

    def _end(self) -> None:
        for stage in self._stages:
            stage.end()
        self._ended = True


def undone(scope: Scope, receive: Receive, size: Callable[[], Size]) -> Receive:
    """`receive`, with the body's codings undone, and `scope` without the headers that told of them.

    Each form of the body, from what arrives to what is read, may have a `size`. Raises `APIError` 415 for a coding
    that is not known.
    """
    headers = scope["ovms.headers"]
    if b"content-encoding" not in headers or not _has_body(headers):
        return receive
    codings = _codings(scope)
    hidden = {b"content-encoding", b"content-length"} if codings else {b"content-encoding"}
    scope["headers"] = [(name, value) for name, value in scope["headers"] if name not in hidden]
    scope["ovms.headers"] = dict(scope["headers"])
    return Undone(receive, codings, size) if codings else receive


def _has_body(headers: dict[bytes, bytes]) -> bool:
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers


def _codings(scope: Scope) -> list[str]:
    """The codings in the order in which they were applied, also when they stand in several headers."""
    given = b",".join(value for name, value in scope["headers"] if name == b"content-encoding").decode("latin-1")
    named = [name.strip().lower().removeprefix("x-") for name in given.split(",")]
    codings = [name for name in named if name not in ("", "identity")]
    unknown = next((name for name in codings if name not in CODINGS), None)
    if unknown is not None:
        raise _refused(f"Content-Encoding '{unknown[:80]}' is not understood")
    if len(codings) > _MOST:
        raise _refused(f"The body is compressed {len(codings)} times; at most {_MOST} times are undone")
    return codings


def _refused(reason: str) -> APIError:
    message = f"{reason}: compress the body with {', '.join(CODINGS[:-1])} or {CODINGS[-1]}, or not at all."
    accepted = ", ".join(CODINGS)
    return APIError(415, message, code="unsupported_media_type", headers={"accept-encoding": accepted})
