"""Which of some files are GGUF models. Imports nothing heavy.

A large model comes in shards, ``name-00001-of-00003.gguf`` and so on, as llama.cpp's ``gguf-split`` writes them: the
first stands for all. ``mmproj-….gguf`` is a part of a model with vision, and no model itself.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

GGUF_SUFFIX: Final = ".gguf"
_SHARD: Final = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.gguf)", re.I | re.S)


class GgufModel(NamedTuple):
    """A model: the file that stands for it, its files in their order, and the names of shards that are not there."""

    name: str
    files: tuple[str, ...]
    missing: tuple[str, ...] = ()


def is_gguf(name: str) -> bool:
    """Whether file `name` is a GGUF model, or a shard of one."""
    return name.lower().endswith(GGUF_SUFFIX) and "mmproj" not in name.lower()


def gguf_models(names: Iterable[str]) -> list[GgufModel]:
    """The GGUF models among the files `names`, sorted."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in sorted(filter(is_gguf, names)):
        shard = _SHARD.fullmatch(name)
        groups[(shard["stem"], shard["count"]) if shard else (name, "")].append(name)
    return sorted(_model(group) for group in groups.values())


def first_shard(name: str) -> str:
    """The file that stands for the model that `name` is a file of: itself, or its first shard."""
    shard = _SHARD.fullmatch(name)
    return _numbered(shard, 1) if shard else name


def _model(group: list[str]) -> GgufModel:
    shards = [shard for name in group if (shard := _SHARD.fullmatch(name))]
    if not shards:
        return GgufModel(group[0], tuple(group))
    here = {int(shard["number"]): shard[0] for shard in shards}
    whole = range(1, 1 + max(1, int(shards[0]["count"])))
    missing = [_numbered(shards[0], number) for number in whole if number not in here]
    return GgufModel(
        here.get(1) or missing[0], tuple(here[number] for number in whole if number in here), tuple(missing)
    )


def _numbered(shard: re.Match[str], number: int) -> str:
    return f"{shard['stem']}-{number:05}-of-{shard['count']}{shard['suffix']}"
