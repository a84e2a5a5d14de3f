"""What XGrammar itself makes of our grammars."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest
from tests.plugins.ovms_llm.conftest import Outcome, run
from tests.plugins.ovms_llm.grammar.acceptor import accepts

from ovms_core.engine import RequestError
from ovms_llm.engine.text_generation import TextGeneration
from ovms_llm.grammar import formats
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.guides import Output, format_of
from ovms_llm.grammar.limits import Limits
from ovms_llm.grammar.nodes import Characters, Choice, Grammar, Literal, Node, Reference, Repeat, Sequence
from ovms_llm.grammar.write import ebnf
from ovms_llm.messages import AnyRequest, Generate, Guide, Sampling, Text
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.registry import formats as speech_formats

pytestmark = pytest.mark.real

LIMITS = Limits()


def answered(engine: TextGeneration, forms: Iterable[dict[str, Any]], max_tokens: int = 40) -> list[Outcome]:
    """What the model writes in each of these forms, hot and all at once."""
    sampling = Sampling(temperature=1.5, max_tokens=max_tokens, seed=7)
    requests = [Generate(prompt=Text("Say"), sampling=sampling, guide=Guide(form)) for form in forms]
    return run(engine, *(prepared(engine, each) for each in requests))


def prepared(engine: TextGeneration, request: Generate) -> AnyRequest:
    """`request` with its grammar compiled, however long a busy machine takes for it."""
    while engine.needs_preparation(request):
        try:
            return engine.prepare(request)
        except RequestError as error:
            if error.code != "grammar_too_expensive":
                raise
    return request


PATTERNS = [
    r"\d{4}-\d{2}-\d{2}",
    r"[a-z]{3,8}@[a-z]+\.(com|org)",
    r"(red|green|blue)(, (red|green|blue))*",
    r"^[A-Z][a-z]+$",
    r'"[^"\\]{0,200}"',
    r"(?i)yes|no",
    r"[^\x00-\x7f]{2}",
    r"[à-ÿ\-\]\\^]{3}",
    r"\u{1F600}|\{\}|\"\\\n",
    r"((a+)+)+b",
    r"(a|b)*a(a|b){30}",
    r"(\s*x){3}",
]


def test_texts_match_the_expression_that_guides_them(engine: TextGeneration) -> None:
    outcomes = answered(engine, [format_of(Output("regex", pattern), LIMITS).format for pattern in PATTERNS], 32)
    for pattern, outcome in zip(PATTERNS, outcomes, strict=True):
        if outcome.last().finish_reason == "stop":
            python = re.sub(r"\\u\{(\w+)\}", lambda found: chr(int(found[1], 16)), pattern)
            assert re.fullmatch(python, outcome.text(), re.ASCII), (pattern, outcome.text())
    assert sum(outcome.last().finish_reason == "stop" for outcome in outcomes) > len(PATTERNS) // 2


EVERY_KIND: list[Node] = [
    Literal('"quoted" \\ and\ttabbed\r\n'),
    Literal("\x01\x7f éß 漢字 😀 [a-z] {2} (x|y)* 0123"),
    Literal("\x0eabc\u00e9def"),
    Sequence((Characters(((0xE9, 0xE9),)), Literal("af"), Characters(((0x1F600, 0x1F64F),)))),
    Sequence((Characters(((0x20, 0x7E),), negated=True), Literal("!"))),
    Sequence((Literal(""), Choice((Literal("a"), Literal("b"))), Repeat(Literal("c"), 0, 0))),
    Repeat(Choice((Literal("ab"), Literal("cd"))), 3, 3),
    Sequence((Repeat(Characters(((0x61, 0x7A),)), 50, 52), Literal("."))),
    Sequence((Literal("["), Repeat(Reference("odd name"), 0, 2), Literal("]"))),
]


def test_every_kind_of_node_means_the_same_to_xgrammar(engine: TextGeneration) -> None:
    grammars = [Grammar({"root": node, "odd name": Literal("(x)")}) for node in EVERY_KIND]
    for grammar, outcome in zip(
        grammars, answered(engine, [formats.grammar(ebnf(each)) for each in grammars], 90), strict=True
    ):
        assert outcome.last().finish_reason == "stop", outcome.text()
        assert accepts(grammar, outcome.text()), (grammar, outcome.text())


SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 200}}, "required": ["a"]}
GREETING = r"""
root ::= greeting ws name
ws ::= [ \t]*
greeting ::= "Hi" | "Hello"
name ::= [A-Z] [a-z]{1,9}
"""
TAG = {"type": "tag", "begin": "<a>", "content": {"type": "regex", "pattern": "b{2}"}, "end": "</a>"}
CALLS = {"structures": [{"begin": "<f>", "schema": {"type": "integer"}, "end": "</f>"}], "triggers": ["<f"]}
FORMS = [
    Output("choice", ["yes", "no", 'perhaps "so"', "naïve\n"]),
    Output("grammar", GREETING),
    Output("json_schema", SCHEMA),
    Output("structural_tag", TAG),
    Output("structural_tag", CALLS),
]


def test_every_form_compiles_and_guides(engine: TextGeneration) -> None:
    outcomes = answered(engine, [format_of(output, LIMITS).format for output in FORMS])
    assert outcomes[0].text() in FORMS[0].value
    assert re.fullmatch(r"(Hi|Hello)[ \t]{0,32}[A-Z][a-z]{1,9}", outcomes[1].text())
    if outcomes[2].last().finish_reason == "stop":
        assert len(json.loads(outcomes[2].text())["a"]) <= 200
    assert outcomes[3].text() == "<a>bb</a>"


BOMBS = [
    Output("regex", "(a+)+$"),
    Output("regex", "((a{1000}){1000}){1000}"),
    Output("regex", "(a|b)*a(a|b){30}"),
    Output("regex", "(.*a){50}"),
    Output("regex", "(" * 60 + "a" + ")*" * 60),
    Output("grammar", 'root ::= root "a" | "b"'),
    Output("grammar", 'root ::= "a" root'),
    Output("grammar", "root ::= " + "(" * 60 + '"a"' + ")*" * 60),
    Output("grammar", "root ::= [a-z]{1,19999}"),
    Output("choice", [f"{number:08}" for number in range(2_000)]),
]


@pytest.mark.parametrize("output", BOMBS)
def test_a_bomb_is_refused_or_does_no_harm(engine: TextGeneration, output: Output) -> None:
    begun = time.process_time()
    with suppress(GrammarError):
        answered(engine, [format_of(output, LIMITS).format], 4)
    assert time.process_time() - begun < 15


STRING_OF_A_LENGTH = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 300}}}


@pytest.mark.parametrize("parameters", [{"type": "object"}, STRING_OF_A_LENGTH], ids=["plain", "bounded"])
@pytest.mark.parametrize("name", ["hermes"])
def test_a_thousand_functions_compile(engine: TextGeneration, name: str, parameters: dict[str, Any]) -> None:
    functions = [Function(f"do_{number}", parameters | {"title": f"{number}"}) for number in range(1000)]
    begun = time.process_time()
    answered(engine, [speech_formats()[name].answer(functions, many=True)], 1)
    assert time.process_time() - begun < 15
