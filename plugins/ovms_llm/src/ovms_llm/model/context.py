"""How many tokens a model was made to read."""

from __future__ import annotations

import math
from typing import Final

from ovms_llm.model.model_files import Config, ModelFiles, Number, Rope, TextConfig, ropes

_LENGTHS: Final = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length", "model_max_length")
_STRETCHED: Final = ("linear", "dynamic")
_UNBOUNDED: Final = 1_000_000_000


def context_length(files: ModelFiles) -> int | None:
    """The context length in tokens, `None` when the files do not say. Raises `LoadError` for a malformed file.

    Of the ways to stretch positions, ``linear`` and ``dynamic`` multiply the length that is stated, and ``yarn`` its
    own `original_max_position_embeddings`; for ``llama3`` and ``longrope`` the stated length is the stretched one.
    """
    config = files.config
    text = config.text_config or config
    stated = _stated(text) or _stated(config)
    if stated is not None:
        return max(_stretched(stated, rope, text) for rope in ropes(text))
    return _count(files.tokenizer.model_max_length)


def _stated(config: TextConfig | Config) -> int | None:
    lengths = (_count(getattr(config, name)) for name in _LENGTHS)
    return next((length for length in lengths if length is not None), None)


def _count(length: Number) -> int | None:
    if length is None or not math.isfinite(length) or not 0 < length < _UNBOUNDED:
        return None
    return int(length) or None


def _stretched(stated: int, rope: Rope, config: TextConfig) -> int:
    kind = rope.rope_type or rope.type
    factor = rope.factor if rope.factor is not None and math.isfinite(rope.factor) else 1.0
    if kind in _STRETCHED and not (config.model_type or "").startswith("gemma3"):  # which states the stretched one
        return max(1, _count(stated * factor) or stated)
    original = _count(rope.original_max_position_embeddings)
    if kind == "yarn" and original is not None:
        return max(stated, _count(original * factor) or stated)
    return stated
