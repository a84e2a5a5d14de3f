"""A bare engine in a process of its own: what a server is compared with."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any


class Bare:
    """Asks the process one thing at a time, in lines of JSON. `loaded` is what it said when it was ready."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.loaded = self._read()

    def ask(self, question: Any) -> Any:
        """The answer to `question`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the bare engine ended")
        return json.loads(line)


@contextlib.contextmanager
def bare(module: str, *arguments: str) -> Iterator[Bare]:
    """Runs ``python -m benchmarks.MODULE bare ARGUMENTS`` until the block ends."""
    command = [sys.executable, "-m", f"benchmarks.{module}", "bare", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Bare(process)
        finally:
            process.terminate()


def answer_lines(loaded: Any) -> Iterator[Any]:
    """In the process itself: say what was `loaded`, then give each question; print the answer with `say`."""
    say(loaded)
    for line in sys.stdin:
        yield json.loads(line)


def say(answer: Any) -> None:
    """Answer a question."""
    print(json.dumps(answer), flush=True)
