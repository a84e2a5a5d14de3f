"""Reranking over HTTP, 32 clients, against the bare loop: same model, threads and pairs, in turn.

Two servers answer: one batches across requests, the other does not. The bare loop has all pairs at hand, sorts them
by length and runs them in batches of the same shapes.
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
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from benchmarks.embeddings import Client, mixed_texts
from benchmarks.http import request
from benchmarks.servers import free_port, started

_CLIENTS = 32
_MAX_LENGTH = 512

Question = tuple[str, list[str]]


def questions(count: int, documents: int, longest: int, seed: int) -> list[Question]:
    """`count` queries with `documents` each of 8 to `longest` words, of which no two are equal."""
    texts = mixed_texts(count * documents, seed, longest)
    return [(f"bread and snow {seed} {n}", texts[n * documents : (n + 1) * documents]) for n in range(count)]


def tiny_reranker() -> Path:
    """The folder of the starter model."""
    return Path(str(files("ovms_starter"))) / "models" / "tiny-reranker"


# -- the bare loop, in a process of its own


def serve_bare_loop() -> None:
    """For every line of standard input, a JSON list of questions, print the tokens and the seconds they took."""
    from concurrent.futures import ThreadPoolExecutor

    from benchmarks.bare_embeddings import batches
    from ovms_core.openvino.encoder import Encoder
    from ovms_core.openvino.limits import encoder_limits, with_streams
    from ovms_core.openvino.tokens import TextTokenizer
    from ovms_rerank.heads import log_odds
    from ovms_rerank.precision import exact_options
    from ovms_rerank.task import RerankOptions

    options = with_streams(exact_options(RerankOptions.model_validate({}), "CPU"), "CPU", tiny_reranker())
    limits = encoder_limits(options, "CPU", _MAX_LENGTH)
    encoder = Encoder(tiny_reranker(), "CPU", options, limits.shapes)
    tokenizer = TextTokenizer.load(tiny_reranker())
    threads = ThreadPoolExecutor(limits.streams)
    print("ready", flush=True)
    for line in sys.stdin:
        pairs = [(query, document) for query, documents in json.loads(line) for document in documents]
        start = time.perf_counter()
        sequences = tokenizer.encode_pairs(pairs)
        list(threads.map(lambda batch: log_odds(encoder.run(batch)[0]), batches(sequences, limits)))
        seconds = time.perf_counter() - start
        print(json.dumps([sum(len(sequence.ids) for sequence in sequences), seconds]), flush=True)


class BareLoop:
    """The bare loop, as the benchmark sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._read()

    def speed(self, asked: Sequence[Question]) -> float:
        """Tokens a second."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        tokens, seconds = json.loads(self._read())
        return float(tokens / seconds)

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextlib.contextmanager
def bare_loop() -> Iterator[BareLoop]:
    """A bare loop over the starter model."""
    command = [sys.executable, "-m", "benchmarks.rerank", "bare"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield BareLoop(process)
        assert process.stdin is not None
        process.stdin.close()


# -- the server


@contextlib.contextmanager
def server(options: dict[str, Any]) -> Iterator[int]:
    """Our server with the starter model, as a user would start it; gives its port."""
    port = free_port()
    model = {"name": "tiny-reranker", "source": "starter:tiny-reranker", "device": "CPU", "options": options}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "ovms.yaml"
        config.write_text(json.dumps({"models": [model]}))
        command = ("-m", "ovms_core.cli", "serve", "--config", str(config), "--port", str(port))
        with started(*command, ready="/v2/health/ready", port=port):
            yield port


def server_speed(port: int, asked: Sequence[Question]) -> float:
    """Tokens a second, over as many connections as there are clients."""
    waiting = [request("/v3/rerank", {"query": query, "documents": documents}) for query, documents in asked]
    selector = selectors.DefaultSelector()
    clients = [Client(socket.create_connection(("127.0.0.1", port))) for _ in range(min(_CLIENTS, len(asked)))]
    start = time.perf_counter()
    for client in clients:
        selector.register(client.sock, selectors.EVENT_READ, client)
        client.ask(waiting.pop())
    bodies: list[bytes] = []
    while len(bodies) < len(asked):
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


# -- figures


def main(rounds: int = 7) -> None:
    """Measure the three in turn, on several documents a query and on one, and print the ratios."""
    print(f"Reranking over HTTP, {_CLIENTS} clients (tiny-reranker int8, exact, CPU; tokens/s, medians of rounds)")
    with bare_loop() as bare, server({}) as batched, server({"batch_across_requests": False}) as single:
        for count, documents, longest in ((64, 8, 100), (256, 1, 100), (512, 1, 12)):
            found = []
            for number in range(rounds + 1):
                asked = questions(count, documents, longest, seed=number)
                figures = bare.speed(asked), server_speed(batched, asked), server_speed(single, asked)
                if number:  # the first round warms up
                    found.append(figures)
            _print(f"{documents} of 8 to {longest} words a query", found)


def _print(name: str, found: Sequence[tuple[float, float, float]]) -> None:
    bare, batched, single = (statistics.median(column) for column in zip(*found, strict=True))
    print(f"  {name}: bare loop {bare:6.0f}   server {batched:6.0f}   without batching across requests {single:6.0f}")
    _print_ratio("server / bare loop", [ours / loop for loop, ours, _ in found])
    _print_ratio("batching across requests", [ours / alone for _, ours, alone in found])


def _print_ratio(name: str, ratios: Sequence[float]) -> None:
    print(f"    {name:26}{statistics.median(ratios):.3f}   ({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    serve_bare_loop() if sys.argv[1:] == ["bare"] else main()
