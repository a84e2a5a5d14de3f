"""Engines that go wrong in ways of their own; imported by worker processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from ovms_core.engine import EngineInfo, Event, Gain, LoadError, ModelSpec
from ovms_core.scripted import ScriptedEngine


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


class LoadsNotAtOnceAgain(Marked):
    """Loads in its first life, fails to in its second, and loads again in its third."""

    def __init__(self, model: ModelSpec) -> None:
        super().__init__(model)
        with self.marker.open("a") as file:
            file.write("x")
        if len(self.marker.read_text()) == 2:
            raise LoadError("the memory is short for the moment")


class HasChild(Marked):
    """Starts a process that would live on."""

    def __init__(self, model: ModelSpec) -> None:
        super().__init__(model)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        self.marker.write_text(str(child.pid))


class Unknown(Event):
    """An event that no task declares."""


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
