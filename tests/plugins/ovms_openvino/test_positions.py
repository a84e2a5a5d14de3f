"""How many tokens a model has positions for."""

from __future__ import annotations

from typing import Any

import pytest

from ovms_openvino.positions import pad_id_of, positions_of


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
        ({"model_type": "bert", "max_position_embeddings": 10**400}, None),
        ({"model_type": "t5"}, None),
        ({"model_type": "roberta", "max_position_embeddings": 2, "pad_token_id": 1}, None),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 10**400}, 512),
        ({}, None),
    ],
)
def test_roberta_and_its_kin_lose_the_positions_up_to_the_padding_id(
    config: dict[str, Any], positions: int | None
) -> None:
    assert positions_of(config) == positions


@pytest.mark.parametrize(
    ("config", "pad_id"),
    [
        ({"pad_token_id": 3}, 3),
        ({"pad_token_id": 3, "vocab_size": 3}, 0),
        ({"pad_token_id": -1}, 0),
        ({"pad_token_id": 10**400}, 0),
        ({"pad_token_id": "3"}, 0),
        ({}, 0),
    ],
)
def test_padding_is_a_token_of_the_vocabulary(config: dict[str, Any], pad_id: int) -> None:
    assert pad_id_of(config) == pad_id
