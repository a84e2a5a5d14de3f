"""The bare embedding loop: texts sorted by length, cut into bucketed batches, run one after the other.

Started with a model specification as JSON. For every line on standard input, a JSON list of texts, it embeds them
and prints the tokens that it read and the seconds that it took.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from ovms_core.engine import BatchLimits, ModelSpec
from ovms_core.openvino.encoder import Encoder
from ovms_core.openvino.limits import encoder_limits, with_streams
from ovms_core.openvino.tokens import TextTokenizer, TokenSequence
from ovms_embeddings.options import EmbeddingsOptions
from ovms_embeddings.pooling import normalized, pool

_MAX_LENGTH = 256


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


def main() -> None:
    """Load, say so, and answer until standard input ends."""
    model = msgspec.json.decode(sys.argv[1], type=ModelSpec)
    path = Path(model.path)
    options = with_streams(EmbeddingsOptions.model_validate(model.options), "CPU", path)
    limits = encoder_limits(options, "CPU", _MAX_LENGTH)
    encoder = Encoder(path, "CPU", options, limits.shapes)
    tokenizer = TextTokenizer.load(path)
    threads = ThreadPoolExecutor(limits.streams)

    def embed(batch: list[TokenSequence]) -> bytes:
        return normalized(pool(*encoder.run(batch), "mean")).astype("<f4").tobytes()

    print(json.dumps({"max_batch_tokens": limits.max_batch_tokens}), flush=True)
    for line in sys.stdin:
        texts = json.loads(line)
        start = time.perf_counter()
        sequences = tokenizer.encode(texts)
        list(threads.map(embed, batches(sequences, limits)))
        seconds = time.perf_counter() - start
        tokens = sum(len(sequence.ids) for sequence in sequences)
        print(json.dumps({"tokens": tokens, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
