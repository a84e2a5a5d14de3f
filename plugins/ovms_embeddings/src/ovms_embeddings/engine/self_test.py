"""A check of some milliseconds, before a model serves, that its vectors are sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ovms_embeddings.engine.pooling import Floats, normalized

TEXTS = (
    "The cat sleeps on the warm windowsill.",
    "Interest rates rose by half a percentage point, the central bank said, and they will be reviewed again in the "
    "spring when the figures for the last quarter of the year are known.",
    "42",
)
_AGREEMENT = 0.999


def find_fault(embed: Callable[[Sequence[str]], Floats]) -> str | None:
    """What is wrong with a model's vectors; `None` when they are sound.

    `embed` runs texts as one batch. A text must have the same vector alone and padded in a batch, be nearest to
    itself, and every number must be finite.
    """
    batch, alone = embed(TEXTS), np.concatenate([embed([text]) for text in TEXTS])
    if not (np.isfinite(batch).all() and np.isfinite(alone).all()):
        return "vectors hold numbers that are not finite: try options.inference_precision f32"
    likeness = normalized(alone) @ normalized(batch).T
    agreement = float(likeness.diagonal().min())
    if agreement < _AGREEMENT:
        return (
            f"a text alone and the same text padded in a batch agree only to a cosine of {agreement:.4f}: "
            f"the export may ignore attention_mask, or options.pooling is wrong for it"
        )
    if (likeness.argmax(axis=1) != np.arange(len(TEXTS))).any():
        return "a text is not nearest to itself: the model gives one vector for different texts"
    return None
