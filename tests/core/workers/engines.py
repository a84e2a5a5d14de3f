"""Engines that go wrong in ways of their own; imported by worker processes."""

from __future__ import annotations

import ctypes
import logging
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from ovms_core.engine import (
    BatchEngine,
    BatchLimits,
    EngineInfo,
    Event,
    Gain,
    JobEngine,
    LoadError,
    ModelSpec,
    Progress,
    RequestError,
    Shapes,
)
from ovms_core.testing.scripted_engine import Probe, Script, ScriptedEngine, Word


class Marked(ScriptedEngine):
    """Has a file of its own, the option `marker`."""

    def __init__(self, model: ModelSpec) -> None:
        self.marker = Path(str(model.options.pop("marker")))
        super().__init__(model)


class HangsOnce(Marked):
    """Hangs in its third step, in its first life."""

    def step(self) -> Iterable[tuple[int, Gain]]:
        with self.marker.open("a") as file:
            file.write("x")
        if len(self.marker.read_text()) == 3:
            time.sleep(3600)
        return super().step()


def _hang_once(marker: Path) -> None:
    """Hang in the first life of an engine whose file `marker` is."""
    if not marker.exists():
        marker.touch()
        time.sleep(3600)


class PreparationHangsOnce(Marked):
    """Its preparation hangs in its first life."""

    def prepare(self, request: Script) -> Script:
        _hang_once(self.marker)
        return request


class Prepares(Marked):
    """Prepares a script of N words as the file N in the folder `marker` says. If that is a pipe, it waits."""

    def prepare(self, request: Script | Probe) -> Script | Probe:
        file = self.marker / str(getattr(request, "count", "probe"))
        match file.read_text() if file.exists() else "":
            case "refuse":
                raise RequestError("it cannot be served", param="count")
            case "break":
                raise ZeroDivisionError("/secret/path")
        return request


class PreparesProbes(Prepares):
    """Prepares probes only, each as the file ``probe`` says."""

    def needs_preparation(self, request: Script | Probe) -> bool:
        return isinstance(request, Probe)


class JobHangsOnce(JobEngine):
    """Its job hangs after the first word, in its first life; the adapter's steps go on."""

    def __init__(self, model: ModelSpec) -> None:
        self.marker = Path(str(model.options["marker"]))
        super().__init__(model)

    def info(self) -> EngineInfo:
        return EngineInfo(slots=2, device="CPU")

    def run(self, request: Script, progress: Progress) -> None:
        for index in range(request.start, request.count):
            progress(Word(index, ""))
            _hang_once(self.marker)


class BatchHangsOnce(BatchEngine[Script, int, int]):
    """A batch hangs in its first life, on one of its two streams; a batch of word 7 does not."""

    def __init__(self, model: ModelSpec) -> None:
        self.marker = Path(str(model.options["marker"]))
        super().__init__(BatchLimits(Shapes.up_to(8), streams=2))

    def info(self) -> EngineInfo:
        return EngineInfo(slots=64, device="CPU")

    def split(self, request: Script) -> Iterable[int]:
        return [request.count]

    def cost(self, item: int) -> int:
        return 1

    def run(self, items: Sequence[int]) -> Sequence[int]:
        if 7 not in items:
            _hang_once(self.marker)
        return items

    def join(self, request: Script, results: Sequence[int]) -> Word:
        return Word(results[0], "")


class LoadsNotAtOnceAgain(Marked):
    """Loads in its first life, fails to in its second, and loads again in its third."""

    def __init__(self, model: ModelSpec) -> None:
        super().__init__(model)
        with self.marker.open("a") as file:
            file.write("x")
        if len(self.marker.read_text()) == 2:
            raise LoadError("the memory is short for the moment")


class Idles(ScriptedEngine):
    """Steps, and gets nowhere."""

    def step(self) -> Iterable[tuple[int, Gain]]:
        time.sleep(0.001)
        return []

    def progressed(self) -> bool:
        return False


class HasChild(Marked):
    """Starts a process that would live on."""

    def __init__(self, model: ModelSpec) -> None:
        super().__init__(model)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        self.marker.write_text(str(child.pid))


class Unknown(Event):
    """An event that no task declares."""


class NeverCloses(ScriptedEngine):
    """Takes for ever to close."""

    def close(self) -> None:
        time.sleep(3600)


class SaysWrong(ScriptedEngine):
    """Gives events that its task does not declare."""

    def step(self) -> Iterable[tuple[int, Gain]]:
        return [(id, Unknown()) for id, _ in super().step()]


class NoInfo(ScriptedEngine):
    """Loads, but cannot say anything of itself."""

    def info(self) -> EngineInfo:
        raise ZeroDivisionError("no info")


class ShowsEnvironment(ScriptedEngine):
    """Says which environment variables its process has."""

    def info(self) -> EngineInfo:
        return EngineInfo(slots=1, device="CPU", details=dict(os.environ))


class Talkative(ScriptedEngine):
    """Prints, in every way there is."""

    def step(self) -> Iterable[tuple[int, Gain]]:
        print("said on stdout", flush=True)  # noqa: T201
        print("said on stderr", file=sys.stderr)  # noqa: T201
        os.write(1, b"said by native code\n")
        return super().step()


class HangsInItsFunction(ScriptedEngine):
    """Hangs in a function of its own."""

    def step(self) -> Iterable[tuple[int, Gain]]:
        return self.ponder()

    def ponder(self) -> Iterable[tuple[int, Gain]]:
        time.sleep(3600)
        return super().step()


class Segfaults(ScriptedEngine):
    """Dies in native code."""

    def step(self) -> Iterable[tuple[int, Gain]]:
        print("terminate called after throwing", file=sys.stderr, flush=True)  # noqa: T201
        ctypes.string_at(0)
        return []


class AddRaises(ScriptedEngine):
    """Has got a request when it finds that it does not like its padding."""

    def add(self, id: int, request: Script | Probe) -> None:
        super().add(id, request)
        if getattr(request, "padding", 0):
            raise KeyError("/secret/path")


class Logs(ScriptedEngine):
    """Logs and warns, from several loggers."""

    def step(self) -> Iterable[tuple[int, Gain]]:
        logging.getLogger("shout.weights").debug("hidden")
        logging.getLogger("shout.weights").warning("the weights of %s\nare\x1e old \udcff", "m")
        logging.info("at the root")
        warnings.warn("use the other one", stacklevel=1)
        try:
            raise OSError("no such weights")
        except OSError:
            logging.getLogger("shout").exception("cannot read")
        sys.stderr.write("printed without an end")
        sys.stderr.flush()
        logging.getLogger("shout").error("right behind it")
        return super().step()


class Loses(ScriptedEngine):
    """Forgets scripts of 13 words after the first."""

    def step(self) -> Iterable[tuple[int, Gain]]:
        yield from super().step()
        for id, (request, at) in list(self._at.items()):
            if isinstance(request, Script) and request.count == 13 and at == 1:
                del self._at[id]


class LosesAndSays(Loses):
    """Says what it has."""

    def in_flight(self) -> Collection[int]:
        return self._at.keys()
