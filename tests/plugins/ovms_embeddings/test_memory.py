"""Memory does not grow with the number of lengths that were ever seen."""

from __future__ import annotations

import os
import random
from pathlib import Path

import psutil
import pytest
from tests.plugins.ovms_embeddings.asking import ask
from tests.plugins.ovms_embeddings.conftest import Load

from ovms_embeddings.messages import Embed

FEW, MANY = 1_000, 10_000
_MEBIBYTE = 1 << 20


@pytest.mark.real
@pytest.mark.timeout(900)
def test_memory_after_ten_thousand_texts_is_that_after_one_thousand(load: Load, fp32_path: Path) -> None:
    engine = load(fp32_path, max_length=256)
    rng = random.Random(20)
    process = psutil.Process(os.getpid())
    after_few = 0
    for start in range(0, MANY, 500):
        texts: list[str | list[int]] = [[rng.randrange(1000, 20000) for _ in range(_length(rng))] for _ in range(500)]
        ask(engine, *(Embed(inputs=texts[at : at + 10]) for at in range(0, 500, 10)))
        if start + 500 == FEW:
            after_few = process.memory_info().rss
    assert (process.memory_info().rss - after_few) / _MEBIBYTE < 50


def _length(rng: random.Random) -> int:
    """Tokens of a text: mostly few, as in a query, and now and then any number that the model reads."""
    return rng.randint(1, 256) if rng.random() < 0.04 else rng.randint(1, 16)
