import json
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cost import cost
from tests.plugins.ovms_llm.grammar.acceptor import accepts

from ovms_llm.grammar.checks.analysis import check
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.limits import Limits
from ovms_llm.grammar.nodes import Grammar
from ovms_llm.grammar.regex import translation as regex

ATOMS = st.sampled_from(["a", "b", "[ab]", "[^a]", ".", r"\d", r"\w", r"\n", '"', r"\\", "é", "[a-c\\]-]", r"\x41"])


def _expressions(inner: Any) -> Any:
    quantifiers = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "{,2}"])
    return (
        st.builds("({}){}".format, inner, quantifiers)
        | st.builds("{}{}".format, inner, inner)
        | st.builds("(?:{}|{})".format, inner, inner)
    )


PATTERNS = st.recursive(ATOMS, _expressions, max_leaves=6)
TEXTS = st.text(alphabet='abc1A\n"\\é]-_', max_size=6)


def _grammar(pattern: str, **how: Any) -> Grammar:
    return Grammar({"root": regex.node(pattern, **how)})


@given(PATTERNS, TEXTS)
def test_a_whole_match_is_the_same_as_pythons(pattern: str, text: str) -> None:
    assert accepts(_grammar(pattern), text) == bool(re.fullmatch(pattern, text, re.ASCII))


@given(PATTERNS, TEXTS, st.sampled_from(["{}", "^{}", "{}$", "^{}$", "^{}$|b", "(^{}|a$)"]))
def test_a_search_is_the_same_as_pythons(pattern: str, text: str, anchored: str) -> None:
    pattern = anchored.format(f"(?:{pattern})")
    found = re.search(pattern.replace("$", r"\Z"), text, re.ASCII)
    assert accepts(_grammar(pattern, search=True), text) == bool(found)


@given(PATTERNS, TEXTS)
def test_inside_a_json_string_the_value_matches(pattern: str, text: str) -> None:
    written = json.dumps(text, ensure_ascii=False)[1:-1]
    assert accepts(_grammar(pattern, json_string=True), written) == bool(re.fullmatch(pattern, text, re.ASCII))


@pytest.mark.parametrize(
    ("pattern", "name", "position"),
    [
        ("a(?=b)", "a lookahead", 1),
        ("(?<!b)a", "a negative lookbehind", 0),
        (r"(a)\1", "a back reference", 3),
        (r"\bword", "a word boundary", 0),
        (r"\p{L}+", "a Unicode property", 0),
        ("(?>a)", "an atomic group", 0),
        ("a++", "a possessive quantifier", 1),
        ("(?m)a", "the flag 'm'", 0),
        ("(a", "never closed", 0),
        ("[a", "never closed", 2),
        ("a)", "closes nothing", 1),
        ("*a", "nothing to repeat", 0),
        ("a{3,2}", "upper bound", 1),
        ("[b-a]", "ends before it begins", 1),
        ("a\\", "nothing behind it", 1),
        ("a^b", "in the middle", 1),
        (r"\q", "unknown escape", 0),
        ("a{99999999999999999999}", "too large", 1),
    ],
)
def test_what_has_no_grammar_is_refused_by_name_and_position(pattern: str, name: str, position: int) -> None:
    with pytest.raises(GrammarError, match=re.escape(name)) as refused:
        regex.node(pattern, pointer="/pattern")
    assert f"at position {position} " in refused.value.message
    assert refused.value.pointer == "/pattern"


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(?<year>\d{4})-(?P<month>\d\d)", "2026-11"),
        (r"\u{1F600}", "😀"),
        (r"\ud83d\ude00", "😀"),
        ("(?i)straße", "STRAßE"),
        ("(?s)a.b", "a\nb"),
        (r"\cJ", "\n"),
        ("a{b}", "a{b}"),
        (r"\/\-", "/-"),
    ],
)
def test_both_flavours_are_understood(pattern: str, text: str) -> None:
    assert accepts(_grammar(pattern), text)


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|b)*a(a|b){30}", "((a{1000}){1000}){1000}", "(" * 5_000, "a" * 100_000, "(a*)*b|" * 5_000]
)
def test_bombs_are_judged_fast(pattern: str) -> None:
    def judged() -> None:
        with suppress(GrammarError):
            check(_grammar(pattern), Limits())

    assert cost(judged) < 2
