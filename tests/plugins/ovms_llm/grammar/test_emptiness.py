"""Nothing empty is repeated."""

from __future__ import annotations

from itertools import product

import pytest
from tests.plugins.ovms_llm.grammar.acceptor import accepts

from ovms_llm.grammar.checks.analysis import is_nullable, nullable_rules, walk
from ovms_llm.grammar.checks.emptiness import without_empty_repetitions
from ovms_llm.grammar.ebnf import parsed
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.nodes import Grammar, Repeat
from ovms_llm.grammar.regex.translation import node

TEXTS = ["".join(letters) for length in range(5) for letters in product("abc", repeat=length)]

GRAMMARS = [
    Grammar({"root": node(pattern)})
    for pattern in ("(a?b?)*c", "(a*|b)+", "((a?)?b*){2}", "(a?){2,3}c", "()*a", "(|a){3}", "(a|b?c?)*b", "(ab?)*")
] + [
    parsed('root ::= x* "c"\nx ::= "a"? y\ny ::= "b"?'),
    parsed('root ::= x* "c"\nx ::= "a" | ""'),
    parsed('root ::= x* "c"\nx ::= ""'),
    parsed('root ::= x{2,3}\nx ::= "a"? x2?\nx2 ::= "b" x | ""'),
]


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_the_texts_are_the_same_without_empty_repetitions(grammar: Grammar) -> None:
    other = without_empty_repetitions(grammar)
    assert [text for text in TEXTS if accepts(other, text)] == [text for text in TEXTS if accepts(grammar, text)]
    repeats = [part for rule in other.rules.values() for part in walk(rule) if isinstance(part, Repeat)]
    assert not any(is_nullable(each.item, nullable_rules(other)) for each in repeats)


def test_a_long_repetition_of_what_may_be_empty_is_refused() -> None:
    with pytest.raises(GrammarError, match="65 parts that may all be empty, 64 at most"):
        without_empty_repetitions(Grammar({"root": node(f"({'a?' * 65})*")}))
