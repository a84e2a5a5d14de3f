"""How many tokens a model has positions for. Imports nothing heavy."""

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


def positions_of(config: Mapping[str, Any]) -> int | None:
    """How many tokens a text may have, as the model's ``config.json`` tells; `None` when it does not."""
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions <= 0:
        return None
    if config.get("model_type") not in _FROM_PADDING:
        return positions
    pad_id = config.get("pad_token_id")
    return positions - 1 - (pad_id if isinstance(pad_id, int) else _USUAL_PAD_ID)
