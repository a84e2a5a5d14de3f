"""From token vectors to one vector, on either side of the padding."""

from __future__ import annotations

import numpy as np
import pytest

from ovms_embeddings.engine.pooling import normalized, pool
from ovms_embeddings.options import Pooling

HIDDEN = np.array([[[1, -1], [3, -5], [100, 100]], [[100, 100], [4, -2], [2, -6]]], dtype=np.float32)
MASK = np.array([[1, 1, 0], [0, 1, 1]])


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("mean", [[2, -3], [3, -4]]),
        ("max", [[3, -1], [4, -2]]),
        ("cls", [[1, -1], [4, -2]]),
        ("last", [[3, -5], [2, -6]]),
        ("mean_sqrt_len_tokens", [[4 / 2**0.5, -6 / 2**0.5], [6 / 2**0.5, -8 / 2**0.5]]),
    ],
)
def test_padding_has_no_say(pooling: Pooling, expected: list[list[float]]) -> None:
    assert pool(HIDDEN, MASK, [pooling]) == pytest.approx(np.array(expected), rel=1e-6)


def test_later_tokens_count_for_more_in_a_weighted_mean() -> None:
    assert pool(HIDDEN[:1], MASK[:1], ["weightedmean"]) == pytest.approx(np.array([[7 / 3, -11 / 3]]))


def test_the_vectors_of_several_poolings_stand_one_after_the_other() -> None:
    assert pool(HIDDEN, MASK, ["cls", "mean"]).tolist() == [[1, -1, 2, -3], [4, -2, 3, -4]]


def test_half_precision_is_pooled_in_single() -> None:
    assert pool(HIDDEN.astype(np.float16), MASK, ["mean"]).dtype == np.float32


def test_a_zero_vector_stays_zero() -> None:
    assert normalized(np.array([[3, 4], [0, 0]], dtype=np.float32)).tolist() == [
        [pytest.approx(0.6), pytest.approx(0.8)],
        [0, 0],
    ]
