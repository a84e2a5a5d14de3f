"""How many tokens a model has positions for."""

from __future__ import annotations

from typing import Any

import pytest

from ovms_core.openvino.positions import positions_of


@pytest.mark.parametrize(
    ("config", "positions"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512, "pad_token_id": 0}, 512),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514}, 512),
        ({"model_type": "mpnet", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "camembert", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "qwen3", "max_position_embeddings": 32768}, 32768),
        ({"model_type": "deberta-v2", "max_position_embeddings": -1}, None),
        ({"model_type": "t5"}, None),
        ({}, None),
    ],
)
def test_roberta_and_its_kin_lose_the_positions_up_to_the_padding_id(
    config: dict[str, Any], positions: int | None
) -> None:
    assert positions_of(config) == positions
