"""Reranking over HTTP, 32 clients, against the bare loop: same model, threads and pairs, in turn.

Two servers answer: one batches across requests, the other does not. The bare loop has all pairs at hand, sorts them
by length and runs them in batches of the same shapes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

from benchmarks.bare import answer_lines, bare, say
from benchmarks.embeddings import batches, mixed_texts, print_batching
from benchmarks.http import answer_all, request
from benchmarks.servers import serving
from ovms_openvino.encoder import Encoder
from ovms_openvino.limits import encoder_limits, with_streams
from ovms_openvino.tokens import TextTokenizer
from ovms_rerank.engine.heads import log_odds
from ovms_rerank.engine.precision import exact_options
from ovms_rerank.task import RerankOptions

_CLIENTS = 32
_MAX_LENGTH = 512

Question = tuple[str, list[str]]


def questions(count: int, documents: int, longest: int, seed: int) -> list[Question]:
    """`count` queries with `documents` each of 8 to `longest` words, of which no two are equal."""
    texts = mixed_texts(count * documents, seed, longest)
    return [(f"bread and snow {seed} {n}", texts[n * documents : (n + 1) * documents]) for n in range(count)]


def serve_bare_loop() -> None:
    """For every list of questions, the tokens that were read a second."""
    path = Path(str(files("ovms_starter"))) / "models" / "tiny-reranker"
    options = with_streams(exact_options(RerankOptions.model_validate({}), "CPU"), "CPU", path)
    limits = encoder_limits(options, "CPU", _MAX_LENGTH)
    encoder = Encoder(path, "CPU", options, limits.shapes)
    tokenizer = TextTokenizer.load(path)
    threads = ThreadPoolExecutor(limits.streams)
    for asked in answer_lines("ready"):
        pairs = [(query, document) for query, documents in asked for document in documents]
        start = time.perf_counter()
        sequences = tokenizer.encode_pairs(pairs)
        list(threads.map(lambda batch: log_odds(encoder.run(batch)[0]), batches(sequences, limits)))
        say(sum(len(sequence.ids) for sequence in sequences) / (time.perf_counter() - start))


def server_speed(port: int, asked: Sequence[Question]) -> float:
    """Tokens a second."""
    requests = [request("/v3/rerank", {"query": query, "documents": documents}) for query, documents in asked]
    bodies, seconds = answer_all(port, requests, clients=_CLIENTS)
    tokens: int = sum(json.loads(body)["usage"]["prompt_tokens"] for body in bodies)
    return tokens / seconds


def main(rounds: int = 7) -> None:
    """Measure the three in turn, on several documents a query and on one, and print the ratios."""
    print(f"Reranking over HTTP, {_CLIENTS} clients (tiny-reranker int8, exact, CPU; tokens/s, medians of rounds)")
    model = {"name": "tiny-reranker", "source": "starter:tiny-reranker"}
    alone = {**model, "options": {"batch_across_requests": False}}
    with bare("rerank") as loop, serving(model) as batched, serving(alone) as single:
        for count, documents, longest in ((64, 8, 100), (256, 1, 100), (512, 1, 12)):
            found = []
            for number in range(rounds + 1):
                asked = questions(count, documents, longest, seed=number)
                figures = loop.ask(asked), server_speed(batched, asked), server_speed(single, asked)
                if number:  # the first round warms up
                    found.append(figures)
            print_batching(f"{documents} of 8 to {longest} words a query", found)


if __name__ == "__main__":
    serve_bare_loop() if sys.argv[1:2] == ["bare"] else main()
