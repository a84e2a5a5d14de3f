"""What is checked before a reranker serves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ovms_openvino.tokens import TokenSequence
from ovms_rerank.engine.layouts import Layout

QUERY = "What is the capital of France?"
RELEVANT = "Paris is the capital of France."
IRRELEVANT = (
    "Rinse the rice, add two cups of water for each cup of rice, bring it to the boil, then cover the pot "
    "and leave it on a low flame for a quarter of an hour."
)
TOLERANCE = 0.05
"""How far log-odds may differ between a pair alone and the same pair beside a longer one; bf16 stays below."""


@dataclass(frozen=True, slots=True)
class SelfTest:
    """The outcome: `failure` says why the model cannot be trusted, `warning` what is merely odd."""

    difference: float | None = None
    failure: str | None = None
    warning: str | None = None

    def details(self) -> dict[str, Any]:
        """As shown in ``GET /v3/models``."""
        outcome = "failed" if self.failure else "passed"
        reason = {"reason": self.failure} if self.failure else {}
        warning = {"warning": self.warning} if self.warning else {}
        return {"result": outcome, "max_difference": self.difference, **reason, **warning}


def self_test(layout: Layout, score: Callable[[Sequence[TokenSequence]], Sequence[float]]) -> SelfTest:
    """Score a relevant document alone, and padded beside an irrelevant one."""
    relevant, irrelevant = layout.join(QUERY, [RELEVANT, IRRELEVANT], None)
    (alone,) = score([relevant])
    beside, other = score([relevant, irrelevant])
    if not all(map(math.isfinite, (alone, beside, other))):
        return SelfTest(
            failure="The model gives NaN or infinity: its weights are damaged, or the precision is too low."
        )
    difference = abs(alone - beside)
    if difference > TOLERANCE * max(1.0, abs(alone)):
        return SelfTest(
            difference,
            failure=f"A pair scores {alone:.3f} alone and {beside:.3f} padded in a batch: the model ignores its mask.",
        )
    warning = "An irrelevant document scores above a relevant one." if other >= beside else None
    return SelfTest(difference, warning=warning)
