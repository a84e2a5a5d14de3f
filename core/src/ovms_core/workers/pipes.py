"""A worker's end of the wire: commands come in on standard input, messages go out on what was standard output."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import msgspec

from ovms_core.workers.wire import Frames, frame

_CHUNK: Final = 1 << 18


class Outbox:
    """Sends messages to the server."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._encode = msgspec.msgpack.Encoder().encode

    def send(self, message: Any) -> None:
        self._stream.write(frame(self._encode(message)))
        self._stream.flush()


class Inbox:
    """Receives commands from the server. Raises `EOFError` when the server is gone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._woken, self._wake = os.pipe()
        self._sources = [self._descriptor, self._woken]
        self._frames = Frames()

    def receive(self, *, block: bool) -> Iterator[bytes]:
        """The commands that are there; with `block`, waits until there are some, or `wake` is called."""
        while ready := select.select(self._sources, [], [], None if block else 0)[0]:
            if self._woken in ready:
                os.read(self._woken, _CHUNK)
            if self._descriptor in ready:
                yield from self._frames.feed(self._read())
            block = False

    def wake(self) -> None:
        """End the wait of `receive`. May be called on any thread."""
        os.write(self._wake, b"!")

    def _read(self) -> bytes:
        data = os.read(self._descriptor, _CHUNK)
        if not data:
            raise EOFError
        return data


def claim_pipes() -> tuple[Inbox, Outbox]:
    """Take standard input and output for the wire, and leave harmless ones to everybody else."""
    commands, messages = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    return Inbox(commands), Outbox(os.fdopen(messages, "wb"))
