import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.plugins.ovms_llm.grammar.acceptor import accepts

from ovms_llm.grammar.checks.analysis import check
from ovms_llm.grammar.ebnf import parsed
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.limits import Limits
from ovms_llm.grammar.nodes import Characters, Choice, Grammar, Literal, Node, Repeat, Sequence
from ovms_llm.grammar.rewriting import MOST_BLANKS, bounded
from ovms_llm.grammar.write import ebnf

JSON = r"""
# llama.cpp's own example
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws

object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws

array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws

# Optional space: by convention, applied in this grammar after literal chars when allowed
ws ::= | " " | "\n" [ \t]{0,20}
"""

NODES = st.recursive(
    st.builds(Literal, st.text(max_size=3))
    | st.builds(lambda a, b: Characters(((min(ord(a), ord(b)), max(ord(a), ord(b))),)), *[st.characters()] * 2),
    lambda inner: (
        st.builds(lambda items: Sequence(tuple(items)), st.lists(inner, max_size=3))
        | st.builds(lambda options: Choice(tuple(options)), st.lists(inner, min_size=1, max_size=3))
        | st.builds(
            lambda item, least, more: Repeat(item, least, more if more is None else least + more),
            inner,
            st.integers(0, 3),
            st.none() | st.integers(0, 3),
        )
    ),
    max_leaves=8,
)


def _refused(text: str, match: str) -> None:
    with pytest.raises(GrammarError, match=match):
        check(parsed(text), Limits())


def test_the_json_grammar_of_llama_cpp_is_understood() -> None:
    grammar = parsed(JSON)
    check(grammar, Limits())
    assert accepts(grammar, '{"a": [1, -2.5e3, "x\\u00e9\\n", {}],"b":null}')
    assert not accepts(grammar, '{"a": [1, }')


@given(NODES, st.text(max_size=4))
def test_what_is_written_is_read_as_the_same_grammar(node: Node, text: str) -> None:
    grammar = Grammar({"root": node})
    assert accepts(parsed(ebnf(grammar)), text) == accepts(grammar, text)


@given(st.integers(40, 200), st.integers(0, 200), st.integers(0, 300))
def test_long_repetitions_are_chains_that_mean_the_same(least: int, more: int, length: int) -> None:
    grammar = Grammar({"root": Repeat(Characters(((0x20, 0x7E),)), least, least + more)})
    assert accepts(parsed(ebnf(grammar)), "x" * length) == (least <= length <= least + more)


def test_errors_name_line_and_column() -> None:
    _refused('root ::= "a"\nother ::= "b" [', "line 2, column 15 a class that is never closed")
    _refused('root ::= "a', "line 1, column 10 a literal that is never closed")
    _refused("root ::= (a\n", "'\\(' that is never closed")
    _refused("root ::= a)", "closes nothing")
    _refused('root ::= "\\q"', "unknown escape")
    _refused("root = a", "no '::='")
    _refused('a ::= "b"', "no rule 'root'")
    _refused('root ::= "a"\nroot ::= "b"', "second time")
    _refused('root ::= "a"{3,1}', "upper bound")
    _refused("root ::= " + "(" * 100, "brackets in each other")
    _refused("root ::= missing", "refers to 'missing'")
    _refused('root ::= root "a" | "b"', "begins with itself")


def test_what_other_engines_know_is_refused_with_advice() -> None:
    _refused("start: WORD\n%import common.WORD", "Lark.*write it as GBNF")
    _refused('root ::= TagDispatch(("<a>", b))\nb ::= "c"', re.escape("'TagDispatch(', which is not supported"))
    _refused('root ::= "a" (= "b")', "lookahead")


@pytest.mark.parametrize(
    "white", ["ws ::= [ \\t\\n]*", "ws ::= ([ \\t\\n] ws)?", 'ws ::= [ \\t\\n] ws | ""', "ws ::= ([ \\t]+ | [\\n])*"]
)
def test_white_space_without_end_is_bounded(white: str) -> None:
    grammar = bounded(parsed(f'root ::= "a" ws "b"\n{white}'))
    assert accepts(grammar, "a" + " " * MOST_BLANKS + "b")
    assert not accepts(grammar, "a" + " " * (MOST_BLANKS + 1) + "b")


def test_a_rule_that_calls_itself_behind_white_space_has_an_end() -> None:
    grammar = bounded(parsed('root ::= " " root | "a" root | "b"'))
    assert accepts(grammar, "  a   ab")
    assert not accepts(grammar, " " * (MOST_BLANKS + 1) + "b")
