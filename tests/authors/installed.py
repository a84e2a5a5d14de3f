"""Installs small plugins into a folder, and runs a server of its own process with them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx

HERE = Path(__file__).parent
PATIENCE = 30
"""Seconds for what happens at once unless the machine is busy."""
_RECORD = re.compile(r"^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ )", re.MULTILINE)


def install(modules: Iterable[str], site: Path) -> None:
    """Install the plugins ``wrong/MODULE.py``, each under its module's name, and the good one."""
    shutil.copytree(HERE / "wrong", site / "wrong", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HERE / "good.py", site)
    for name, module in {"good": "good", **{name: f"wrong.{name}" for name in modules}}.items():
        info = site / f"{name}-1.0.dist-info"
        info.mkdir()
        needed = "Requires-Dist: ovms-core>=0.1,<0.2"
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needed}\n")
        (info / "entry_points.txt").write_text(f"[ovms]\n{name} = {module}\n")


def environment(site: Path) -> dict[str, str]:
    """The environment of a user who has configured nothing, with what is installed in `site`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OVMS_")}
    path = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    return kept | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "XDG_CACHE_HOME": str(site / "cache")}


def ovms(site: Path, *words: str) -> str:
    """What ``ovms`` says on both streams, with what is installed in `site`."""
    command = [sys.executable, "-m", "ovms_core.cli", *words]
    finished = subprocess.run(
        command,
        cwd=site,
        env=environment(site),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return finished.stdout


def squeezed(text: str) -> str:
    """`text` without white space: a table breaks lines where it likes."""
    return "".join(text.split())


class Process:
    """``ovms serve``, with its log."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self.log = log

    def records(self, *texts: str) -> list[str]:
        """The log's records in which all of `texts` stand, each with its traceback; waits until there is one."""
        deadline = time.monotonic() + PATIENCE
        while not (found := [each for each in self._records() if all(text in each for text in texts)]):
            if time.monotonic() > deadline:
                raise AssertionError(f"no record has {texts}:\n{self.log.read_text()}")
            time.sleep(0.02)
        return found

    def _records(self) -> list[str]:
        return _RECORD.split(self.log.read_text())

    def end(self) -> int:
        """Its exit status after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


class Server(Process):
    """A server that serves, at `url`."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        super().__init__(process, log)
        self.url = self._listening()

    def _listening(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("Serving at "):
                return line.split()[2].rstrip(".")
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        """The answer to a request, the whole of it."""
        return httpx.request(method, self.url + path, json=body, timeout=PATIENCE)

    def serves(self) -> None:
        """Assert that another plugin's endpoint and the health answer."""
        assert self.ask("GET", "/health").status_code == 200
        assert self.ask("POST", "/v1/good", {"text": "a"}).json() == {"text": "a"}


@contextmanager
def serving(site: Path, **more: str) -> Iterator[Server]:
    """A server with what is installed in `site`; `more` is for its environment."""
    with starting(site, **more) as process:
        yield Server(process.process, process.log)


@contextmanager
def starting(site: Path, **more: str) -> Iterator[Process]:
    """As `serving`, but it may not have come to that yet."""
    log = site / "log.txt"
    command = [sys.executable, "-m", "ovms_core.cli", "serve", "--port", "0"]
    with log.open("w") as stderr, _process(command, site, environment(site) | more, stderr) as process:
        yield Process(process, log)


@contextmanager
def _process(
    command: list[str], folder: Path, variables: dict[str, str], stderr: IO[str]
) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=stderr, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()
