"""Draws ``docs/terminal.svg``, the README's picture: real commands, and what they really print.

Run it where the starter models can be served: ``python docs/terminal.py``.
"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

_COLUMNS, _ROWS = 110, 40
_PORT = 8000
_PATIENCE = 120.0
_FONTS = re.compile(r"@font-face \{.*?\}", re.DOTALL)
"""The drawing must load nothing from elsewhere: whoever looks at it has a monospaced font."""
_QUESTION = "What is the capital of France?"
_TABLE = "Models"
"""The title of the table that is printed when all models are ready; before it, there is a table that moves."""


def main() -> None:
    """Serve, ask, draw."""
    console = Console(record=True, width=_COLUMNS, file=Path(os.devnull).open("w"))  # noqa: SIM115
    with _served() as shown:
        _print(console, "make serve", shown)
        _print(console, f"echo '{_QUESTION}' | ovms chat", _chat())
    picture = _FONTS.sub("", console.export_svg(title="OVMS"))
    Path(__file__).with_name("terminal.svg").write_text(picture, encoding="utf-8")


def _print(console: Console, command: str, said: str) -> None:
    console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
    console.print(Text.from_ansi(said.replace("\r\n", "\n").strip()))
    console.print()


@contextmanager
def _served() -> Iterator[str]:
    """A server with the starter models: what it printed until they were ready."""
    terminal, process = _run(["serve", "--starter", "--port", str(_PORT)])
    try:
        said = _read(terminal, until="curl")
        yield said[said.index(_TABLE) :]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _chat() -> str:
    terminal, process = _run(["chat"])
    process.communicate(f"{_QUESTION}\n".encode())
    return _read(terminal)


def _run(arguments: list[str]) -> tuple[int, subprocess.Popen[bytes]]:
    """``ovms``, which prints on a terminal of its own."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(_COLUMNS), "LINES": str(_ROWS), "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "ovms_core.cli", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    return ours, process


def _read(terminal: int, until: str | None = None) -> str:
    """What is printed, until the end or for a second after `until`."""
    said, deadline = b"", time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                said += os.read(terminal, 1 << 16)
            except OSError:  # the other end is closed
                break
            if until and until.encode() in said:
                until, deadline = None, time.monotonic() + 1
    return said.decode(errors="replace")


if __name__ == "__main__":
    main()
