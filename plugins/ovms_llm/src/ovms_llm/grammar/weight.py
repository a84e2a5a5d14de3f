"""What the token mask of a class of characters costs to make."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from ovms_llm.grammar.characters import Ranges, complement, intersection, union
from ovms_llm.grammar.nodes import Characters

_LETTERS: Final[Ranges] = ((0x41, 0x5A), (0x61, 0x7A))
_BLANK: Final[Ranges] = ((0x20, 0x20),)


@lru_cache(maxsize=1024)
def class_size(node: Characters) -> int:
    """How much work one of these characters is: tokens with letters are most, more so with a blank."""
    ranges = complement(node.ranges) if node.negated else union(node.ranges)
    letters = sum(last - first + 1 for first, last in intersection(ranges, _LETTERS))
    return 2 + letters * (4 if intersection(ranges, _BLANK) else 2)
