"""What a token takes in the cache, and what the cache takes of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from ovms_llm.budget import GIB, Cache, Head, block_size_of, bytes_per_token, default_cache_bytes
from ovms_llm.memory import available_memory

# SmolLM2-135M: 30 layers, each with keys and values of 3 heads.
SMOLLM2 = [Head(3, 64)] * 60
MEMINFO = "MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\n"


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


def _meminfo(folder: Path) -> Path:
    file = folder / "meminfo"
    file.write_text(MEMINFO)
    return file


def test_without_a_container_the_machine_is_the_limit(tmp_path: Path) -> None:
    assert available_memory(tmp_path / "none", _meminfo(tmp_path)) == 8_000_000 * 1024


@pytest.mark.parametrize(
    ("limit_file", "usage_file"),
    [("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")],
)
def test_the_limit_of_a_container_counts(tmp_path: Path, limit_file: str, usage_file: str) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / limit_file).write_text(f"{3 * GIB}\n")
    (tmp_path / usage_file).write_text(f"{1 * GIB}\n")
    assert available_memory(tmp_path, _meminfo(tmp_path)) == 2 * GIB


def test_a_container_without_a_limit_has_what_the_machine_has(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text(f"{GIB}\n")
    assert available_memory(tmp_path, _meminfo(tmp_path)) == 8_000_000 * 1024


def test_a_container_over_its_limit_has_nothing_left(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(f"{GIB}\n")
    (tmp_path / "memory.current").write_text(f"{2 * GIB}\n")
    assert available_memory(tmp_path, _meminfo(tmp_path)) == 0
