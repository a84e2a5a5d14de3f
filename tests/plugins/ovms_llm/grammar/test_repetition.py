"""Long repetitions of a character: the same texts, in rules that XGrammar can look through."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.plugins.ovms_llm.grammar.acceptor import accepts

from ovms_llm.grammar.guides import Output, format_of
from ovms_llm.grammar.json_schema import translate
from ovms_llm.grammar.json_schema.parts import CHARACTER, QUOTE, RULES
from ovms_llm.grammar.limits import Limits
from ovms_llm.grammar.nodes import Characters, Choice, Grammar, Literal, Node, Reference, Repeat, Sequence
from ovms_llm.grammar.repetition import BLOCK, unrolled

LETTER = Characters(((0x61, 0x7A), (0x20, 0x20), (0x41, 0x5A)))
ESCAPED: Node = Choice((Sequence((Literal("\\"), Literal("n"))), LETTER))


@pytest.mark.parametrize(
    ("least", "most"), [(0, None), (0, 2), (1, None), (3, None), (0, BLOCK), (5, 70), (64, 64), (33, 100)]
)
@pytest.mark.parametrize("item", [ESCAPED, CHARACTER], ids=["inline", "rule"])
def test_a_repetition_has_the_lengths_that_it_had(item: Node, least: int, most: int | None) -> None:
    plain = Grammar({**RULES, "root": Sequence((QUOTE, Repeat(item, least, most), QUOTE))})
    written = unrolled(plain)
    assert not any(isinstance(node, Repeat) and node.item == item for node in parts(written.rules["root"]))
    for count in {0, 1, max(0, least - 1), least, least + 1, BLOCK, most or 90, (most or 90) + 1}:
        for text in ("a" * count, "\\n" * count, "a\\n" * (count // 2) + "a" * (count % 2)):
            fits = least <= count <= (most if most is not None else count)
            assert accepts(written, f'"{text}"') == fits, (count, text)


def parts(node: Node) -> list[Node]:
    items = node.items if isinstance(node, Sequence) else node.options if isinstance(node, Choice) else ()
    return [node, *(part for item in items for part in parts(item))]


BOUNDED: list[dict[str, Any]] = [
    {"type": "string", "minLength": 1},
    {"type": "string", "maxLength": 10},
    {"type": "string", "minLength": 3, "maxLength": 65_535},
    {"type": "string", "pattern": "^.{3,200}$"},
    {
        "type": "object",
        "properties": {f"p{number}": {"type": "string", "maxLength": 5_000 + number} for number in range(9)},
    },
]


@pytest.mark.parametrize("schema", BOUNDED)
def test_no_rule_of_one_character_is_repeated(schema: dict[str, Any]) -> None:
    text = format_of(Output("json_schema", schema), Limits()).format["grammar"]
    assert not re.search(r"\bcharacter\b(?!_)(?! ::=)", text)


def test_lengths_are_the_same_rules_in_every_schema() -> None:
    first, second = (format_of(Output("json_schema", schema), Limits()) for schema in BOUNDED[1:3])
    assert {"character_times_rest_9", "escape"} <= first.common
    assert first.common - {"lengths"} <= second.common


def test_a_reference_to_no_choice_is_one_character() -> None:
    grammar = Grammar({"root": Repeat(Reference("letter"), 2, 60), "letter": LETTER})
    written = unrolled(grammar)
    assert accepts(written, "a" * 60)
    assert not accepts(written, "a" * 61)
    assert not accepts(written, "a")
    assert translate({"type": "string", "maxLength": 60}).unenforced == ()
