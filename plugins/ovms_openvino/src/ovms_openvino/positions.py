"""How many tokens a model has positions for, and what fills those that are left. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FROM_PADDING = frozenset(
    {
        "camembert",
        "data2vec-text",
        "longformer",
        "mpnet",
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "xmod",
    }
)
"""Models that count positions from the one after the padding token's id, as RoBERTa does."""

_USUAL_PAD_ID = 1
_ENDLESS = 2**31
"""No text is so long: who writes this has no limit to tell."""


def positions_of(config: Mapping[str, Any]) -> int | None:
    """How many tokens a text may have, as the model's ``config.json`` tells; `None` when it does not."""
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or not 0 < positions < _ENDLESS:
        return None
    if config.get("model_type") not in _FROM_PADDING:
        return positions
    left = positions - 1 - (pad_id_of(config) or _USUAL_PAD_ID)
    return left if left > 0 else None


def pad_id_of(config: Mapping[str, Any]) -> int:
    """The id of the padding token, 0 where ``config.json`` names none of the model's vocabulary: it has no say."""
    pad_id, size = config.get("pad_token_id"), config.get("vocab_size")
    known = size if isinstance(size, int) and 0 < size < _ENDLESS else _ENDLESS
    return pad_id if isinstance(pad_id, int) and 0 <= pad_id < known else 0
