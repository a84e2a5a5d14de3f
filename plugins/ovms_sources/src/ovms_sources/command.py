"""Commands that fetch or convert a model: run, watched while they work, and ended with the fetch."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_TICK = 0.2
_GRACE = 5.0


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended: its exit status, and what it printed (stdout and stderr together)."""

    status: int
    output: str

    def summary(self) -> str:
        """The lines that say what went wrong: those marked ``ERROR``, else the last three."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR")]
        return " ".join(errors or lines[-3:])[-1000:]


def run(command: Sequence[str], tick: Callable[[], None], environment: Mapping[str, str] | None = None) -> Finished:
    """Run `command` and call `tick` several times a second; if `tick` raises, the command is ended.

    The output goes through a file, because a full pipe would stop the command. Raises `OSError` when
    it cannot be started.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            _wait(process, tick)
        finally:
            _end(process)
        output.seek(0)
        return Finished(process.returncode, output.read().decode(errors="replace"))


def _wait(process: subprocess.Popen[bytes], tick: Callable[[], None]) -> None:
    while True:
        try:
            process.wait(_TICK)
        except subprocess.TimeoutExpired:
            tick()
        else:
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
