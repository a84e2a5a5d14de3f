"""Which files are GGUF models."""

from __future__ import annotations

import pytest

from ovms_core.model_files.gguf import GgufModel, first_shard, gguf_models

SHARDS = tuple(f"big-0000{number}-of-00003.gguf" for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("names", "models"),
    [
        (["b.gguf", "a.GGUF", "config.json"], [GgufModel("a.GGUF", ("a.GGUF",)), GgufModel("b.gguf", ("b.gguf",))]),
        ([*SHARDS[::-1], "mmproj-big-f16.gguf", "big.MMPROJ.GGUF"], [GgufModel(SHARDS[0], SHARDS)]),
        ([SHARDS[0], SHARDS[2]], [GgufModel(SHARDS[0], (SHARDS[0], SHARDS[2]), (SHARDS[1],))]),
        ([SHARDS[1]], [GgufModel(SHARDS[0], (SHARDS[1],), (SHARDS[0], SHARDS[2]))]),
        (
            ["a-00001-of-00001.gguf", "b/a-00001-of-00001.GGUF"],
            [
                GgufModel("a-00001-of-00001.gguf", ("a-00001-of-00001.gguf",)),
                GgufModel("b/a-00001-of-00001.GGUF", ("b/a-00001-of-00001.GGUF",)),
            ],
        ),
        (["a-00001-of-00000.gguf"], [GgufModel("a-00001-of-00000.gguf", ("a-00001-of-00000.gguf",))]),
        (["mmproj.gguf"], []),
    ],
)
def test_shards_are_one_model_and_projectors_are_none(names: list[str], models: list[GgufModel]) -> None:
    assert gguf_models(names) == models


def test_any_shard_leads_to_the_first() -> None:
    assert {first_shard(name) for name in SHARDS} == {SHARDS[0]}
    assert first_shard("m.gguf") == "m.gguf"
