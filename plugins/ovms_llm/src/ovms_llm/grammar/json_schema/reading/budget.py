"""How much of a schema is looked at before it is refused."""

from __future__ import annotations

from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.limits import Limits


class Budget:
    """Counts what a schema costs while it is read, so that a bomb is refused before it has been written out."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.left = limits.size

    def spend(self, amount: int, pointer: str) -> None:
        self.left -= amount
        if self.left < 0:
            raise GrammarError(
                f"the schema is too large: its grammar would have more than {self.limits.size} states; "
                "use fewer properties, enum values and alternatives",
                pointer,
            )

    def descend(self, depth: int, pointer: str) -> None:
        if depth > self.limits.depth:
            raise GrammarError(
                f"the schema is nested more than {self.limits.depth} levels deep; flatten it, or use $defs and $ref",
                pointer,
            )
