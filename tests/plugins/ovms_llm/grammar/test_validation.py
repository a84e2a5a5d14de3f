"""Finished texts checked against their schema."""

from __future__ import annotations

from typing import Any

import pytest

from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.validation import Validator

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer", "minimum": 3}, "b": {"items": {"type": "string"}}},
    "required": ["a"],
}


def test_a_document_that_fits_is_let_through() -> None:
    assert Validator(SCHEMA).check('{"a": 3, "b": ["x"]}') is None


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('{"a": 2}', "/a: 2 is less than the minimum of 3"),
        ('{"a": 3, "b": ["x", 1]}', '/b/1: 1 is not of type "string"'),
        ("{}", 'the document: "a" is a required property'),
        ('{"a": 3', "it is no JSON"),
        ("", "it is no JSON"),
        ('{"a": NaN}', "NaN is no JSON value"),
        ('{"a": 3, "c": ' + "[" * 500 + "]" * 500 + "}", "nested more than"),
        ("[" * 200_000, "it is no JSON"),
        ("1" * 5_000, "it is no JSON"),
    ],
    ids=lambda text: text[:30],
)
def test_what_is_wrong_is_told_with_its_place(text: str, wrong: str) -> None:
    assert wrong in (Validator(SCHEMA).check(text) or "")


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string", "format": "date"}, '"2024-02-29"', '"2023-02-29"'),
        ({"type": "string", "format": "json-pointer"}, '"no pointer"', "1"),
        ({"type": "integer", "nullable": True}, "null", '"a"'),
        ({"type": "integer", "minimum": 3, "exclusiveMinimum": True}, "4", "3"),
        ({"items": [{"type": "null"}], "additionalItems": False}, "[null]", "[null,1]"),
        ({"dependencies": {"a": ["b"]}}, '{"a":1,"b":1}', '{"a":1}'),
        ({"pattern": "^(?!a)"}, '"b"', '"a"'),
        ({"not": {"const": 1}}, "2", "1"),
        ({"uniqueItems": True}, "[1,2]", "[1,1]"),
        ({"$ref": "#/definitions/a~1b", "definitions": {"a/b": {"type": "null"}}}, "null", "1"),
        ({"$id": "urn:x", "items": {"$ref": "urn:x#y"}, "$defs": {"y": {"$anchor": "y", "const": 1}}}, "[1]", "[2]"),
    ],
    ids=str,
)
def test_a_schema_is_read_as_it_was_meant_whatever_draft_it_is_of(schema: Any, good: str, bad: str) -> None:
    assert Validator(schema).check(good) is None
    assert Validator(schema).check(bad) is not None


def test_a_pattern_that_takes_exponential_time_is_matched_at_once() -> None:
    assert Validator({"pattern": "^(a+)+$"}).check('"' + "a" * 5_000 + '!"') is not None


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"type": "strng"}, "/type"),
        ({"$ref": "https://example.com/schema.json"}, "/$ref"),
        ({"$ref": "#/nowhere"}, "/$ref"),
        ({"properties": {"a": {"pattern": "("}}}, "/properties/a/pattern"),
        ("no schema", ""),
    ],
    ids=str,
)
def test_a_schema_that_cannot_be_built_is_refused(schema: Any, pointer: str) -> None:
    with pytest.raises(GrammarError) as caught:
        Validator(schema)
    assert caught.value.pointer == pointer


def test_a_schema_that_is_nested_without_measure_is_refused() -> None:
    schema: Any = {"type": "string"}
    for _ in range(20_000):
        schema = {"items": schema}
    with pytest.raises(GrammarError, match="deep"):
        Validator(schema)


def test_equal_schemas_are_built_once() -> None:
    assert Validator({"const": 5})._compiled is Validator({"const": 5})._compiled
