"""The rules that documents of most schemas share: where grammars stand together, each is written once.

Compiling one of them, such as the character of a string, costs more than all else that a usual function needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from ovms_llm.grammar.checks.size import sizes
from ovms_llm.grammar.json_schema.formats import RULES as OF_FORMATS
from ovms_llm.grammar.json_schema.parts import CHARACTER
from ovms_llm.grammar.json_schema.parts import RULES as OF_JSON
from ovms_llm.grammar.nodes import Grammar, Literal, Repeat
from ovms_llm.grammar.repetition import BLOCK
from ovms_llm.grammar.write import ebnf

_LENGTHS: Final = {"lengths": Repeat(CHARACTER, BLOCK, 2 * BLOCK - 1)}
"""Written out, it is all rules that strings of any length are made of."""

_ALL: Final = Grammar({"root": Literal(""), **OF_JSON, **OF_FORMATS, **_LENGTHS})


def common_names(rules: Iterable[str]) -> frozenset[str]:
    """The names in `rules`, lines of EBNF, of those that are common; none if one is called so and says otherwise."""
    named = {name: line for line in rules if (name := _name(line)) in _lines()}
    return frozenset(named) if all(_lines()[name] == line for name, line in named.items()) else frozenset()


@cache
def common_sizes() -> Mapping[str, int]:
    """What each of the common rules costs to compile."""
    return sizes(_ALL)


@cache
def _lines() -> Mapping[str, str]:
    return {_name(line): line for line in ebnf(_ALL).splitlines() if _name(line) != _ALL.root}


def _name(line: str) -> str:
    return line.partition(" ::= ")[0]
