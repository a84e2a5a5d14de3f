"""What a grammar costs to compile: calibrated on XGrammar with a vocabulary of 49 152 tokens (docs/engine-notes.md)."""

from __future__ import annotations

from typing import Final

from ovms_llm.grammar.characters import Ranges, complement, intersection, union
from ovms_llm.grammar.nodes import Characters, Choice, Grammar, Literal, Node, Reference, Repeat, Sequence

TOO_LARGE: Final = 10**9
"""Sizes are counted up to here."""


def size(grammar: Grammar) -> int:
    """The states of `grammar` once repetitions are written out, each weighed by what its token mask costs.

    20 000 take about a second to compile.
    """
    return min(TOO_LARGE, sum(node_size(node) for node in grammar.rules.values()))


def node_size(node: Node) -> int:
    """The part of `node` in the size of its grammar."""
    match node:
        case Literal(text):
            return 1 + len(text) // 2
        case Characters(ranges, negated):
            return class_size(complement(ranges) if negated else union(ranges))
        case Sequence(items):
            return min(TOO_LARGE, 1 + sum(map(node_size, items)))
        case Choice(options):
            return min(TOO_LARGE, 1 + sum(map(node_size, options)))
        case Repeat(item, least, most):
            times = least + 1 if most is None else max(most, 1)
            return min(TOO_LARGE, times * node_size(item))
        case Reference():
            return 2


_LETTERS: Final[Ranges] = ((0x41, 0x5A), (0x61, 0x7A))
_WIDE: Final[Ranges] = ((0x20, 0x20), *_LETTERS)


def class_size(ranges: Ranges) -> int:
    """How many tokens have to be looked at where a character of `ranges` may stand: those with letters are most."""
    letters = _count(intersection(ranges, _LETTERS))
    blank = bool(intersection(ranges, ((0x20, 0x20),)))
    return 2 + letters * (6 if blank and letters > 26 else 2)


def _count(ranges: Ranges) -> int:
    return sum(last - first + 1 for first, last in ranges)
