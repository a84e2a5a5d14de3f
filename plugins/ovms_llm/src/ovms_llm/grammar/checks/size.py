"""What a grammar costs to compile: calibrated on XGrammar with a vocabulary of 49 152 tokens (docs/engine-notes.md)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Final

from ovms_llm.grammar.nodes import Characters, Choice, Grammar, Literal, Node, Reference, Repeat, Sequence
from ovms_llm.grammar.repetition import unrolled, wide_character
from ovms_llm.grammar.weight import class_size

TOO_LARGE: Final = 10**9
"""Sizes are counted up to here."""


def size(grammar: Grammar) -> int:
    """The states of `grammar` once repetitions are written out, each weighed by what its token mask costs.

    20 000 take about a second to compile.
    """
    return min(TOO_LARGE, sum(sizes(grammar).values()))


def sizes(grammar: Grammar) -> dict[str, int]:
    """The same for each rule."""
    written = unrolled(grammar)
    return {name: _size(node, written) for name, node in written.rules.items()}


def _size(node: Node, grammar: Grammar) -> int:
    match node:
        case Literal(text):
            return 1 + len(text) // 2
        case Characters():
            return class_size(node)
        case Sequence(items):
            return min(TOO_LARGE, 1 + _skipped(items) + sum(_size(item, grammar) for item in items))
        case Choice(options):
            return min(TOO_LARGE, 1 + sum(_size(option, grammar) for option in options))
        case Repeat(item, least, most):
            return min(TOO_LARGE, _times(least, most) * _size(item, grammar))
        case Reference():
            return 2 + wide_character(node, grammar)


def _skipped(items: Iterable[Node]) -> int:
    """Parts that may be left out can each be followed by any of the next such ones, which makes a square of them."""
    runs = groupby(items, lambda item: isinstance(item, Repeat) and not item.least)
    return sum(len(list(run)) ** 2 for may_be_left_out, run in runs if may_be_left_out)


def _times(least: int, most: int | None) -> int:
    """How often a repetition is written out; where the end may come early, a place costs more."""
    if most is None:
        return least + 1
    return least + 2 * max(most - least, 0) if most > 1 else 1
