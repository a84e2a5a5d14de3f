"""A queue of pictures over HTTP, against the bare pipeline: same model, prompts, steps and seeds, in turn.

The bare pipeline only generates: it writes no file, so what the server spends on PNG counts against it.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from benchmarks.embeddings import Client
from benchmarks.http import request
from benchmarks.servers import free_port, started

_CLIENTS = 4
_STEPS = 20
_GUIDANCE = 3.5
_PROMPT = "a red circle on a blue background"


def shapes() -> Path:
    """The folder of the starter model."""
    return Path(str(files("ovms_starter"))) / "models" / "shapes"


# -- the bare pipeline, in a process of its own


def serve_bare_pipeline() -> None:
    """For every line of standard input, a JSON object, draw `count` pictures; print the seconds that it took."""
    import openvino_genai as genai

    pipe = genai.Text2ImagePipeline(shapes(), "CPU")
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        settings = {"num_inference_steps": _STEPS, "guidance_scale": _GUIDANCE}
        start = time.perf_counter()
        for seed in range(asked["count"]):
            pipe.generate(_PROMPT, rng_seed=seed, width=asked["side"], height=asked["side"], **settings).data.copy()
        print(time.perf_counter() - start, flush=True)


class BarePipeline:
    """The bare pipeline's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._read()

    def speed(self, count: int, side: int) -> float:
        """Pictures a second."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"count": count, "side": side}) + "\n")
        self._process.stdin.flush()
        return count / float(self._read())

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the bare pipeline ended")
        return line


@contextlib.contextmanager
def bare_pipeline() -> Iterator[BarePipeline]:
    """Runs until the block ends."""
    command = [sys.executable, "-m", "benchmarks.images", "bare"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield BarePipeline(process)
    finally:
        process.terminate()
        process.wait(timeout=30)


# -- the server


@contextlib.contextmanager
def server() -> Iterator[int]:
    """Serves the model until the block ends; gives the port."""
    model = {"name": "shapes", "source": str(shapes()), "device": "CPU"}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "ovms.json"
        config.write_text(json.dumps({"models": [model], "model_repository": folder}))
        port = free_port()
        command = ("-m", "ovms_core.cli", "serve", "--config", str(config), "--port", str(port))
        with started(*command, ready="/v2/health/ready", port=port):
            yield port


def server_speed(port: int, count: int, side: int) -> float:
    """Pictures a second, with always some waiting in the queue."""
    waiting = [request("/v3/images/generations", _body(seed, side)) for seed in range(count)]
    selector = selectors.DefaultSelector()
    clients = [Client(socket.create_connection(("127.0.0.1", port))) for _ in range(_CLIENTS)]
    start = time.perf_counter()
    for client in clients:
        selector.register(client.sock, selectors.EVENT_READ, client)
        client.ask(waiting.pop())
    answered = 0
    while answered < count:
        for key, _ in selector.select():
            if key.data.hear() is None:
                continue
            answered += 1
            if waiting:
                key.data.ask(waiting.pop())
    seconds = time.perf_counter() - start
    for client in clients:
        client.sock.close()
    return count / seconds


def _body(seed: int, side: int) -> dict[str, Any]:
    size = f"{side}x{side}"
    asked = {"num_inference_steps": _STEPS, "guidance_scale": _GUIDANCE}
    return {"prompt": _PROMPT, "seed": seed, "size": size, **asked}


# -- figures


def main(rounds: int = 7) -> None:
    """Measure both in turn, at two sizes, and print the ratios."""
    print(f"Images over HTTP, {_CLIENTS} clients ('shapes' int8, {_STEPS} steps, CPU; pictures/s, medians of rounds)")
    with bare_pipeline() as bare, server() as port:
        for side, count in ((128, 24), (256, 12)):
            found = []
            for number in range(rounds + 1):
                figures = bare.speed(count, side), server_speed(port, count, side)
                if number:  # the first round warms up
                    found.append(figures)
            _print(f"{side}x{side}", found)


def _print(name: str, found: list[tuple[float, float]]) -> None:
    bare, ours = (statistics.median(column) for column in zip(*found, strict=True))
    ratios = [server / pipeline for pipeline, server in found]
    print(f"  {name}: bare pipeline {bare:6.2f}   server {ours:6.2f}")
    print(f"    server / bare pipeline    {statistics.median(ratios):.3f}   ({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    serve_bare_pipeline() if sys.argv[1:] == ["bare"] else main()
