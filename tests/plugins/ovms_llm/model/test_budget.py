"""What a token takes in the cache, and what the cache takes of the machine."""

from __future__ import annotations

import pytest

from ovms_llm.model.budget import GIB, Cache, Head, block_size_of, bytes_per_token, default_cache_bytes

# SmolLM2-135M: 30 layers, each with keys and values of 3 heads.
SMOLLM2 = [Head(3, 64)] * 60


@pytest.mark.parametrize(
    ("precision", "expected"), [("u8", 13_680), ("f16", 23_040), ("bf16", 23_040), ("f32", 46_080)]
)
def test_a_token_takes_what_its_precision_says(precision: str, expected: int) -> None:
    assert bytes_per_token(SMOLLM2, precision) == expected


@pytest.mark.parametrize(
    ("available", "weights", "wanted", "expected"),
    [
        (10 * GIB, 1 * GIB, 100 * GIB, 4 * GIB),  # half of what is left
        (100 * GIB, 1 * GIB, 100 * GIB, 8 * GIB),  # not everything that a large machine has
        (100 * GIB, 1 * GIB, 2 * GIB, 2 * GIB),  # not more than the model can use
        (1 * GIB, 1 * GIB, 100 * GIB, GIB // 8),  # something, in any case
    ],
)
def test_the_default_cache_leaves_room(available: int, weights: int, wanted: int, expected: int) -> None:
    assert default_cache_bytes(available, weights, wanted) == expected


@pytest.mark.parametrize(("blocks", "size"), [(5, 32), (9, 16), (3, 64), (17, 8), (2, 128), (1, 256)])
def test_the_size_of_a_block_is_seen_from_what_the_probe_took(blocks: int, size: int) -> None:
    assert block_size_of(blocks) == size


def test_part_of_a_block_is_a_block() -> None:
    cache = Cache(blocks=4, block_size=32, bytes=1)
    assert [cache.blocks_for(tokens) for tokens in (1, 32, 33)] == [1, 1, 2]
    assert cache.tokens == 128
