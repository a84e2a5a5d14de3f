"""An engine that does what its requests say: count, wait, fail, raise, hang or die.

It runs in a worker process like any other, so what it shows of queues, restarts and resumption is real.
`scripted` has the task and the endpoint to go with it; this module is apart from them because a worker that imports no
server starts ten times as fast.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Sequence
from typing import Any, Self

import msgspec

from ovms_core.engine import DONE, Engine, EngineInfo, Event, Gain, LoadError, ModelSpec, Request, RequestError


class Script(Request, tag="script", kw_only=True):
    """Give `count` words, one a step, each step taking `seconds`; `padding` makes each word longer.

    At word `fail_at` the request fails, at `raise_at` the step raises, at `hang_at` it never returns, and
    at `die_at` the process kills itself. `start` is the first word that is wanted.
    """

    count: int = 3
    seconds: float = 0.0
    padding: int = 0
    start: int = 0
    fail_at: int | None = None
    raise_at: int | None = None
    hang_at: int | None = None
    die_at: int | None = None
    resumable: bool = True

    def resumed(self, events: Sequence[Any]) -> Self | None:
        return msgspec.structs.replace(self, start=self.start + len(events)) if self.resumable else None


class Probe(Request, tag="probe"):
    """Ask the engine what it holds."""


class Word(Event, tag="word", array_like=True):
    """The word at `index`."""

    index: int
    text: str


class Probed(Event, tag="probed", array_like=True):
    """How many requests are in flight besides the probe, and how many were cancelled or added so far."""

    in_flight: int
    cancelled: int
    added: int
    pid: int


class Options(msgspec.Struct):
    """What the engine is told when it loads: to take its time, to fail, or to die."""

    slots: int = 32
    load_seconds: float = 0.0
    load_error: str | None = None
    load_death: bool = False


class ScriptedEngine(Engine):
    """Does what each `Script` says."""

    def __init__(self, model: ModelSpec) -> None:
        self._options = msgspec.convert(model.options, Options)
        if self._options.load_death:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._options.load_error:
            raise LoadError(self._options.load_error)
        time.sleep(self._options.load_seconds)
        self._at: dict[int, tuple[Script | Probe, int]] = {}
        self._cancelled = 0
        self._added = 0

    def info(self) -> EngineInfo:
        return EngineInfo(slots=self._options.slots, device="CPU", details={"scripted": True})

    def add(self, id: int, request: Script | Probe) -> None:
        if isinstance(request, Script) and request.count < 0:
            raise RequestError("count must not be negative.", param="count")
        self._added += 1
        self._at[id] = (request, request.start if isinstance(request, Script) else 0)

    def cancel(self, id: int) -> None:
        self._at.pop(id, None)
        self._cancelled += 1

    def step(self) -> Iterable[tuple[int, Gain]]:
        time.sleep(max((r.seconds for r, _ in self._at.values() if isinstance(r, Script)), default=0.0))
        return [gain for id, (request, at) in list(self._at.items()) for gain in self._advance(id, request, at)]

    def _advance(self, id: int, request: Script | Probe, at: int) -> Iterable[tuple[int, Gain]]:
        if isinstance(request, Probe):
            others = sum(isinstance(other, Script) for other, _ in self._at.values())
            yield id, Probed(others, self._cancelled, self._added, os.getpid())
        elif at == request.fail_at:
            yield id, RequestError(f"word {at} cannot be had", param="fail_at")
            del self._at[id]
            return
        else:
            _misbehave(request, at)
            self._at[id] = (request, at + 1)
            if at < request.count:
                yield id, Word(at, f"w{at} " + "." * request.padding)
        if isinstance(request, Probe) or at + 1 >= request.count:
            yield id, DONE
            del self._at[id]


def _misbehave(request: Script, at: int) -> None:
    if at == request.raise_at:
        raise RuntimeError(f"step raised at word {at}")
    if at == request.hang_at:
        time.sleep(3600)
    if at == request.die_at:
        os.kill(os.getpid(), signal.SIGKILL)
