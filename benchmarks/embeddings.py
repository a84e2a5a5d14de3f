"""Embeddings over HTTP, 32 clients with one text each, against the bare loop: same model, threads and texts, in turn.

The bare loop has all texts at hand: it sorts them by length and runs them in batches of the same shapes. There are
two: one runs a batch at a time on all cores, the other as many at once as the server does, which is faster. Two servers
answer: one batches across requests, the other does not. What batching gains grows with the number of cores, and on
short texts.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.bare import answer_lines, bare, say
from benchmarks.http import answer_all, request
from benchmarks.servers import serving
from ovms_core.engine import BatchLimits
from ovms_core.models.reference import Reference
from ovms_core.models.repository import Repository
from ovms_embeddings.engine.pooling import normalized, pool
from ovms_embeddings.options import EmbeddingsOptions
from ovms_openvino.encoder import Encoder
from ovms_openvino.limits import encoder_limits, with_streams
from ovms_openvino.tokens import TextTokenizer, TokenSequence
from ovms_starter.source import StarterSource

_MODEL = Reference("starter", "minilm")
_CLIENTS = 32
_MAX_LENGTH = 256
_WORDS = ("river", "mountain", "quick", "brown", "fox", "model", "token", "server", "batch", "length", "sea", "sky")


def mixed_texts(count: int, seed: int, longest: int = 128) -> list[str]:
    """Texts of 8 to `longest` words, of which no two are equal."""
    rng = random.Random(seed)
    return [f"{seed} {n} {' '.join(rng.choices(_WORDS, k=rng.randint(8, longest)))}" for n in range(count)]


# -- the bare loop, in a process of its own


def batches(sequences: Sequence[TokenSequence], limits: BatchLimits) -> Iterator[list[TokenSequence]]:
    """The sequences in batches of one bucket of lengths, as large as the budget allows."""
    batch: list[TokenSequence] = []
    for sequence in sorted(sequences, key=lambda sequence: len(sequence.ids)):
        rows, length = limits.shapes.of(len(batch) + 1, len(sequence.ids))
        if batch and rows * length > limits.max_batch_tokens:
            yield batch
            batch = []
        batch.append(sequence)
    yield batch


def serve_bare_loop(path: Path, streams: int | None) -> None:
    """For every list of texts, the tokens that were read a second."""
    options = with_streams(EmbeddingsOptions(num_streams=streams), "CPU", path)
    limits = encoder_limits(options, "CPU", _MAX_LENGTH)
    encoder = Encoder(path, "CPU", options, limits.shapes)
    tokenizer = TextTokenizer.load(path)
    threads = ThreadPoolExecutor(limits.streams)

    def embed(batch: list[TokenSequence]) -> bytes:
        return normalized(pool(*encoder.run(batch), ["mean"])).astype("<f4").tobytes()

    for texts in answer_lines("ready"):
        start = time.perf_counter()
        sequences = tokenizer.encode(texts)
        list(threads.map(embed, batches(sequences, limits)))
        say(sum(len(sequence.ids) for sequence in sequences) / (time.perf_counter() - start))


# -- the server


def server_speed(port: int, texts: Sequence[str]) -> float:
    """Tokens a second."""
    asked = [request("/v1/embeddings", {"input": text, "encoding_format": "base64"}) for text in texts]
    bodies, seconds = answer_all(port, asked, clients=_CLIENTS)
    tokens: int = sum(json.loads(body)["usage"]["prompt_tokens"] for body in bodies)
    return tokens / seconds


# -- figures


def main(rounds: int = 7, count: int = 512) -> None:
    """Measure the three in turn, on mixed and on short texts, and print the ratios."""
    print(
        f"Embeddings over HTTP, {_CLIENTS} clients with one text each (MiniLM int8, CPU; tokens/s, medians of rounds)"
    )
    path = Repository().fetch(StarterSource(), _MODEL, offline=False, progress=lambda done, total: None)
    model = {"name": "minilm", "source": str(_MODEL)}
    alone = {**model, "options": {"batch_across_requests": False}}
    with (
        bare("embeddings", str(path), "1") as slow,
        bare("embeddings", str(path)) as loop,
        serving(model) as batched,
        serving(alone) as single,
    ):
        for name, longest in (("8 to 128 words", 128), ("8 to 12 words", 12)):
            found, one_by_one = [], []
            for number in range(rounds + 1):
                texts = mixed_texts(count, number, longest)
                figures = loop.ask(texts), server_speed(batched, texts), server_speed(single, texts)
                if number:  # the first round warms up
                    one_by_one.append(figures[1] / slow.ask(texts))
                    found.append(figures)
            print_batching(name, found)
            print_ratio("server / bare loop with one batch at a time", one_by_one)


def print_batching(name: str, found: Sequence[tuple[float, float, float]]) -> None:
    """Print the speeds of the bare loop, of the server, and of the one that does not batch across requests."""
    bare_speed, batched, single = (statistics.median(column) for column in zip(*found, strict=True))
    print(f"  {name}: bare loop {bare_speed:.0f}, server {batched:.0f}, without batching across requests {single:.0f}")
    print_ratio("server / bare loop", [ours / loop for loop, ours, _ in found])
    print_ratio("batching across requests / without", [ours / alone for _, ours, alone in found])


def print_ratio(name: str, ratios: Sequence[float]) -> None:
    """Print the median of ratios with the lowest and the highest."""
    print(f"    {name}: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        serve_bare_loop(Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
    else:
        main()
