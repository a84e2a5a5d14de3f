"""From one vector a token to one vector a text, as sentence-transformers does it (its ``models/Pooling.py``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovms_embeddings.options import Pooling

Floats = NDArray[np.float32]
Mask = NDArray[Any]


def pool(hidden: NDArray[Any], mask: Mask, poolings: Sequence[Pooling]) -> Floats:
    """``[rows, length, size]`` and mask ``[rows, length]`` to ``[rows, size]``; masked-out tokens have no say.

    The vectors of several poolings stand one after the other: ``[rows, size · poolings]``. The mask may have its tokens
    on either side, and must have at least one in each row.
    """
    hidden, mask = hidden.astype(np.float32, copy=False), mask.astype(np.float32, copy=False)
    pooled = [_POOLINGS[pooling](hidden, mask) for pooling in poolings]
    return pooled[0] if len(pooled) == 1 else np.concatenate(pooled, axis=1)


def normalized(vectors: Floats) -> Floats:
    """The vectors with length 1; a zero vector stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: Floats = vectors / np.maximum(lengths, 1e-12)
    return result


def _mean(hidden: Floats, mask: Floats) -> Floats:
    # A matrix product a row: one pass over the hidden states, without a masked copy of them.
    sums = np.matmul(mask[:, None, :], hidden)[:, 0]
    result: Floats = sums / mask.sum(axis=1, keepdims=True)
    return result


def _mean_of_roots(hidden: Floats, mask: Mask) -> Floats:
    result: Floats = _mean(hidden, mask) * np.sqrt(mask.sum(axis=1, keepdims=True))
    return result


def _weighted_mean(hidden: Floats, mask: Mask) -> Floats:
    """Later tokens count for more: the first once, the second twice (SGPT, https://arxiv.org/abs/2202.08904)."""
    return _mean(hidden, mask * np.arange(1, mask.shape[1] + 1, dtype=np.float32))


def _max(hidden: Floats, mask: Floats) -> Floats:
    result: Floats = np.where(mask[:, :, None] > 0, hidden, -np.inf).max(axis=1).astype(np.float32)
    return result


def _cls(hidden: Floats, mask: Floats) -> Floats:
    return _at(hidden, mask.argmax(axis=1))


def _last(hidden: Floats, mask: Floats) -> Floats:
    return _at(hidden, mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1))


def _at(hidden: Floats, positions: NDArray[np.intp]) -> Floats:
    result: Floats = hidden[np.arange(len(hidden)), positions]
    return result


_POOLINGS: dict[Pooling, Callable[[Floats, Floats], Floats]] = {
    "mean": _mean,
    "max": _max,
    "cls": _cls,
    "last": _last,
    "mean_sqrt_len_tokens": _mean_of_roots,
    "weightedmean": _weighted_mean,
}
