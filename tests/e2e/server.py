"""A real server in a process of its own, as a user would start it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its base URL without a prefix, and its process."""

    url: str
    process: subprocess.Popen[str]
    log: Path

    @property
    def pid(self) -> int:
        """The server's own process id."""
        return self.process.pid

    def worker_pids(self) -> list[int]:
        """The process ids of its live workers."""
        return [child.pid for child in psutil.Process(self.pid).children() if child.status() != psutil.STATUS_ZOMBIE]

    def terminate(self) -> int:
        """Ask for the end, as an operator would; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


@contextlib.contextmanager
def started(
    folder: Path, models: Sequence[dict[str, Any]], *arguments: str, ready: bool = True, **settings: Any
) -> Iterator[Server]:
    """``ovms serve`` with these models on a free port, until the block ends.

    With `ready`, waits until readiness is reported; else only until it listens.
    """
    config = folder / "ovms.yaml"
    config.write_text(json.dumps({"models": list(models), **settings}))
    log = folder / "server.log"
    command = [sys.executable, "-m", "ovms_core.cli", "serve", "--config", str(config), "--port", "0", *arguments]
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, env={**os.environ, "NO_COLOR": "1"}
        ) as process,
    ):
        try:
            yield Server(_url(process, log, ready), process, log)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=60)


def _url(process: subprocess.Popen[str], log: Path, ready: bool) -> str:
    port = _listening_port(process, log)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 240
    while ready and time.monotonic() < deadline:
        if httpx.get(f"{url}/v2/health/ready", timeout=30).status_code == 200:
            return url
        if process.poll() is not None:
            break
        time.sleep(0.1)
    if ready:
        raise RuntimeError(f"the server is not ready: {log.read_text()[-2000:]}")
    return url


def _listening_port(process: subprocess.Popen[str], log: Path) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        ports = [c.laddr.port for c in psutil.Process(process.pid).net_connections("tcp") if c.status == "LISTEN"]
        if ports:
            return int(ports[0])
        time.sleep(0.05)
    raise RuntimeError(f"the server does not listen: {log.read_text()[-2000:]}")
