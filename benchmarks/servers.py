"""Servers under measurement, each in a process of its own."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def started(*command: str, ready: str, port: int, timeout: float = 120) -> Iterator[int]:
    """Run ``python COMMAND…`` until the block ends; gives its process id once GET `ready` answers 200."""
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)
    try:
        _await(f"http://127.0.0.1:{port}{ready}", process, timeout)
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextlib.contextmanager
def serving(model: dict[str, Any]) -> Iterator[int]:
    """Our server with one model on the CPU, as a user would start it; gives its port once the model is ready."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "ovms.yaml"
        config.write_text(json.dumps({"models": [{"device": "CPU", **model}]}))
        command = ("-m", "ovms_core.cli", "serve", "--config", str(config), "--port", str(port))
        with started(*command, ready="/v2/health/ready", port=port):
            yield port


def _await(url: str, process: subprocess.Popen[bytes], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode} before it was ready")
        with contextlib.suppress(OSError):
            if urllib.request.urlopen(url, timeout=5).status == 200:
                return
        time.sleep(0.05)
    raise TimeoutError(f"{url} did not answer 200 within {timeout:g} s")
