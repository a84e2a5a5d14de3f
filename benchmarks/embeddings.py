"""Embeddings over HTTP, 32 clients with one text each, against the bare loop: same model, threads and texts, in turn.

Two servers answer: one batches across requests, the other does not. What batching gains grows with the number of
cores, and on short texts.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.http import request
from benchmarks.servers import free_port, started
from ovms_core.engine import ModelSpec
from ovms_core.models.repository import Repository
from ovms_core.models.sources import Reference
from ovms_starter.source import StarterSource

_MODEL = Reference("starter", "minilm")
_CLIENTS = 32
_WORDS = ("river", "mountain", "quick", "brown", "fox", "model", "token", "server", "batch", "length", "sea", "sky")
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def mixed_texts(count: int, seed: int, longest: int = 128) -> list[str]:
    """Texts of 8 to `longest` words, of which no two are equal."""
    rng = random.Random(seed)
    return [f"{seed} {n} {' '.join(rng.choices(_WORDS, k=rng.randint(8, longest)))}" for n in range(count)]


class BareLoop:
    """The bare loop in its own process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._read()

    def speed(self, texts: Sequence[str]) -> float:
        """Tokens a second."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(texts) + "\n")
        self._process.stdin.flush()
        found = self._read()
        return float(found["tokens"] / found["seconds"])

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextlib.contextmanager
def bare_loop(path: Path, options: dict[str, Any]) -> Iterator[BareLoop]:
    """A bare loop over the starter model."""
    spec = ModelSpec(name="minilm", task="embeddings", path=str(path), work_dir="", options=options)
    command = [sys.executable, "-m", "benchmarks.bare_embeddings", msgspec.json.encode(spec).decode()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield BareLoop(process)
        assert process.stdin is not None
        process.stdin.close()


@contextlib.contextmanager
def server(options: dict[str, Any]) -> Iterator[int]:
    """Our server with the starter model, as a user would start it; gives its port."""
    port = free_port()
    model = {"name": "minilm", "source": str(_MODEL), "device": "CPU", "options": options}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "ovms.yaml"
        config.write_text(json.dumps({"models": [model]}))
        command = ("-m", "ovms_core.cli", "serve", "--config", str(config), "--port", str(port))
        with started(*command, ready="/v2/health/ready", port=port):
            yield port


@dataclass(slots=True)
class Client:
    """One connection that asks for one text after the other."""

    sock: socket.socket
    answer: bytes = b""

    def ask(self, raw: bytes) -> None:
        self.answer = b""
        self.sock.sendall(raw)

    def hear(self) -> bytes | None:
        """Read what is there; the answer's body once it is complete."""
        self.answer += self.sock.recv(1 << 16)
        head, found, body = self.answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or length is None or len(body) < int(length[1]):
            return None
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"unexpected answer: {self.answer[:300]!r}")
        return body


def server_speed(port: int, texts: Sequence[str]) -> float:
    """Tokens a second, over as many connections as there are clients."""
    waiting = [request("/v1/embeddings", {"input": text, "encoding_format": "base64"}) for text in texts]
    selector = selectors.DefaultSelector()
    clients = [Client(socket.create_connection(("127.0.0.1", port))) for _ in range(_CLIENTS)]
    start = time.perf_counter()
    for client in clients:
        selector.register(client.sock, selectors.EVENT_READ, client)
        client.ask(waiting.pop())
    bodies: list[bytes] = []
    while len(bodies) < len(texts):
        for key, _ in selector.select():
            body = key.data.hear()
            if body is None:
                continue
            bodies.append(body)
            if waiting:
                key.data.ask(waiting.pop())
    seconds = time.perf_counter() - start
    for client in clients:
        client.sock.close()
    tokens: int = sum(json.loads(body)["usage"]["prompt_tokens"] for body in bodies)
    return tokens / seconds


def main(rounds: int = 7, count: int = 256) -> None:
    """Measure the three in turn, on mixed and on short texts, and print the ratios."""
    path = Repository().fetch(StarterSource(), _MODEL, offline=False, progress=lambda done, total: None)
    print(
        f"Embeddings over HTTP, {_CLIENTS} clients with one text each (MiniLM int8, CPU; tokens/s, medians of rounds)"
    )
    with bare_loop(path, {}) as bare, server({}) as batched, server({"batch_across_requests": False}) as single:
        for name, longest in (("8 to 128 words", 128), ("8 to 12 words", 12)):
            found = []
            for number in range(rounds + 1):
                texts = mixed_texts(count, number, longest)
                figures = bare.speed(texts), server_speed(batched, texts), server_speed(single, texts)
                if number:  # the first round warms up
                    found.append(figures)
            _print(name, found)


def _print(name: str, found: Sequence[tuple[float, float, float]]) -> None:
    bare, batched, single = (statistics.median(column) for column in zip(*found, strict=True))
    print(f"  {name}: bare loop {bare:.0f}, server {batched:.0f}, without batching across requests {single:.0f}")
    _print_ratio("server / bare loop", [ours / loop for loop, ours, _ in found])
    _print_ratio("batching across requests / without", [ours / alone for _, ours, alone in found])


def _print_ratio(name: str, ratios: Sequence[float]) -> None:
    print(f"    {name}: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
