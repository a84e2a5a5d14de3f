"""The KV cache: what a token takes, and how many blocks of it sequences need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ovms_core.engine import LoadError

GIB: Final = 1 << 30
_RESERVE: Final = 1 * GIB
_DEFAULT_CAP: Final = 8 * GIB
_DEFAULT_FLOOR: Final = GIB // 8
PROBE_TOKENS: Final = 129
_BYTES = {"f32": 4, "float32": 4, "f16": 2, "float16": 2, "bf16": 2, "bfloat16": 2}


@dataclass(frozen=True, slots=True)
class Head:
    """One layer's keys, or its values: the number of heads and what each holds for a token."""

    count: int
    dimension: int


def attention_states(model: Any) -> list[Head]:
    """The KV states of an `openvino.Model`, from the shapes ``[batch, heads, length, dimension]`` it keeps.

    Raises `LoadError` when it keeps none: such a model was exported without its state.
    """
    shapes = [sink.input(0).get_partial_shape() for sink in model.get_sinks()]
    heads = [Head(shape[1].get_length(), shape[3].get_length()) for shape in shapes if _is_cache(shape)]
    if not heads:
        raise LoadError("the model keeps no KV state: export it as a stateful text-generation-with-past model")
    return heads


def _is_cache(shape: Any) -> bool:
    return len(shape) == 4 and shape[1].is_static and shape[2].is_dynamic and shape[3].is_static


def bytes_per_token(heads: Sequence[Head], precision: str) -> int:
    """What a token takes in the CPU plugin's cache.

    8-bit keys are quantised by channel (a scale and a zero point, both f32, per channel and block of
    32 tokens), 8-bit values by token (the same two per head and token).
    """
    size = _BYTES.get(precision)
    if size is not None:
        return sum(head.count * head.dimension * size for head in heads)
    keys = sum(head.count * (head.dimension + head.dimension // 4) for head in heads[::2])
    return keys + sum(head.count * (head.dimension + 8) for head in heads[1::2])


def default_cache_bytes(available: int, weights: int, wanted: int) -> int:
    """The budget when none is set: half of what weights and system leave, capped, and never more than `wanted`."""
    room = (available - weights - _RESERVE) // 2
    return max(min(room, _DEFAULT_CAP, wanted), _DEFAULT_FLOOR)


def block_size_of(blocks: int) -> int:
    """How many tokens a block has, when the probe prompt took `blocks`."""
    return next(size for size in (256, 128, 64, 32, 16, 8, 4, 2, 1) if -(-PROBE_TOKENS // size) >= blocks)


@dataclass(frozen=True, slots=True)
class Cache:
    """The KV cache as it was allocated."""

    blocks: int
    block_size: int
    bytes: int

    @property
    def tokens(self) -> int:
        """How many tokens it holds."""
        return self.blocks * self.block_size

    def blocks_for(self, tokens: int) -> int:
        """How many blocks a sequence of `tokens` takes."""
        return -(-tokens // self.block_size)
