"""The wire between the server and a worker process: framed MessagePack, one message a step.

A frame is a length of four bytes (little-endian) and that many bytes of MessagePack
(https://github.com/msgpack/msgpack/blob/master/spec.md).
"""

from __future__ import annotations

import logging
import signal
import struct
from collections.abc import Iterator
from typing import Any, Final, Generic, TypeVar, get_args

import msgspec

from ovms_core.messages import EngineInfo, ModelSpec

E = TypeVar("E")
R = TypeVar("R")

_LENGTH = struct.Struct("<I")

SHOW_STACKS: Final = signal.SIGUSR1
"""The signal at which a worker writes the stacks of its threads to standard error, whatever it is busy with."""


class Load(msgspec.Struct):
    """To the worker, first: which engine to import, the model to load, and its request types.

    It logs from `log_level` on. A request for which the engine gains nothing for `step_timeout` seconds may be lost.
    """

    engine: str
    model: ModelSpec
    requests: list[str]
    log_level: int = logging.INFO
    step_timeout: float = 300.0


class Submit(msgspec.Struct, Generic[R], tag="submit", array_like=True):
    """To the worker: take on a request."""

    id: int
    request: R


class Cancel(msgspec.Struct, tag="cancel", array_like=True):
    """To the worker: forget a request."""

    id: int


class Loaded(msgspec.Struct, tag="loaded", array_like=True):
    """From the worker: the engine is ready."""

    info: EngineInfo


class LoadFailed(msgspec.Struct, tag="load_failed", array_like=True):
    """From the worker, which then exits: the model cannot be loaded. Clients may see the `reason`."""

    reason: str


class Crashed(msgspec.Struct, tag="crashed", array_like=True):
    """From the worker, which then exits: a step raised. Clients may see the `reason`; `details` are for the log."""

    reason: str
    details: str


class Failure(msgspec.Struct, array_like=True):
    """Why a request failed, as the client will see it."""

    status: int
    message: str
    param: str | None = None
    code: str | None = None


class Step(msgspec.Struct, Generic[E], tag="step", array_like=True):
    """From the worker, when there is something to tell: what each request gained, which have ended or failed.

    `progressed` is what `Engine.progressed` said. `size` is the message's own, in bytes, noted by whoever receives it.
    `faults` are the requests that failed by the engine's fault, each with what is for the log only.
    """

    gained: list[tuple[int, E]]
    done: list[int]
    failed: list[tuple[int, Failure]]
    progressed: bool = True
    size: int = 0
    faults: list[tuple[int, str]] = []


def members(union: Any) -> tuple[Any, ...]:
    """The types in a union; a plain type is a union of itself."""
    return get_args(union) or (union,)


def type_paths(union: Any) -> list[str]:
    """The import paths (``module:name``) of the types in a union."""
    return [f"{member.__module__}:{member.__qualname__}" for member in members(union)]


def frame(payload: bytes) -> bytes:
    """`payload` as one frame."""
    return _LENGTH.pack(len(payload)) + payload


class Frames:
    """Cuts a stream of bytes into frames, however the bytes arrive."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The payloads that `data` completes."""
        self._buffer += data
        while (end := self._end()) is not None:
            yield bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]

    def _end(self) -> int | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        end: int = _LENGTH.size + _LENGTH.unpack_from(self._buffer)[0]
        return end if end <= len(self._buffer) else None
