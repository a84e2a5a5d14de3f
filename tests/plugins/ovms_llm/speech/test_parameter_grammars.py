"""Arguments that are written one by one: which may come, in which order."""

from __future__ import annotations

from typing import Any

import pytest
from tests.plugins.ovms_llm.grammar.acceptor import accepts

from ovms_llm.grammar.ebnf import parsed
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.pythonic import python_calls
from ovms_llm.speech.registry import formats as speech_formats

INTEGER = {"type": "integer"}


def _accepts(schema: dict[str, Any], arguments: str) -> bool:
    format = python_calls([Function("f", {"type": "object"} | schema)], many=False)
    return accepts(parsed(format["grammar"]), f"f({arguments})")


@pytest.mark.parametrize(
    ("arguments", "fits"),
    [("a=1, c=3", True), ("a=1, b=2, c=3", True), ("c=3", False), ("a=1", False), ("c=3, a=1", False), ("", False)],
)
def test_required_parameters_come_in_their_order_and_others_may(arguments: str, fits: bool) -> None:
    properties = {"a": INTEGER, "b": INTEGER, "c": INTEGER}
    assert _accepts({"properties": properties, "required": ["a", "c"]}, arguments) is fits


@pytest.mark.parametrize(("arguments", "fits"), [("", True), ("b=2", True), ("a=1, b=2", True), (", b=2", False)])
def test_all_may_be_left_out_where_none_is_required(arguments: str, fits: bool) -> None:
    assert _accepts({"properties": {"a": INTEGER, "b": INTEGER}}, arguments) is fits


def test_a_schema_that_names_no_parameters_allows_any() -> None:
    assert _accepts({}, "")
    assert _accepts({}, 'x=1, y_2="b"')
    assert not _accepts({"properties": {}}, "x=1")
    assert not _accepts({"additionalProperties": False}, "x=1")


@pytest.mark.parametrize("name", ["qwen3_coder", "glm", "hermes"])
def test_a_length_may_be_written_as_a_float(name: str) -> None:
    assert _bounded(name, maxLength=100.0, minLength=3.0) == _bounded(name, maxLength=100, minLength=3)
    assert _bounded(name, maxLength=100) != _bounded(name)


@pytest.mark.parametrize("name", ["qwen3_coder", "glm"])
@pytest.mark.parametrize("bounds", [{"maxLength": "10"}, {"minLength": -1}, {"minLength": 90, "maxLength": 80}])
def test_a_bound_that_is_none_is_no_bound(name: str, bounds: dict[str, Any]) -> None:
    assert _bounded(name, **bounds) == _bounded(name)


def _bounded(name: str, **bounds: Any) -> Any:
    """The grammar of a call whose only parameter is a string with `bounds`."""
    properties = {"colour": {"type": "string", **bounds}}
    function = Function("paint", {"type": "object", "properties": properties, "required": ["colour"]})
    return speech_formats()[name].answer([function], many=True)
