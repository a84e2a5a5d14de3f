"""JSON is read from text that is cut anywhere, and given as it was written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plugins.ovms_llm.speech.hearing import cuts

from ovms_llm.speech.parsing.calls import KEYS, JsonCall, read_json
from ovms_llm.speech.parsing.json_text import Extent, members, objects
from ovms_llm.speech.parsing.parser import Arguments, CallStarted

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=4), children, max_size=3),
    max_leaves=8,
)


def _end(pieces: list[str]) -> int | None:
    extent, before = Extent(), 0
    for piece in pieces:
        if (end := extent.feed(piece)) is not None:
            return before + end
        before += len(piece)
    return None


@given(value=VALUES, ascii=st.booleans(), indent=st.sampled_from([None, 2]))
@settings(max_examples=60, deadline=None)
def test_a_value_ends_where_json_says(value: object, ascii: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii, indent=indent)
    assert all(_end(pieces) == len(text) for pieces in cuts(text + ", more]"))


@given(value=st.dictionaries(st.text(max_size=5), VALUES, max_size=4), indent=st.sampled_from([None, 1]))
@settings(max_examples=60, deadline=None)
def test_members_are_given_as_they_are_written(value: dict[str, object], indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert {key: json.loads(written) for key, written in members(text).items()} == value


def _call(text: str) -> tuple[str, str]:
    found = set()
    for pieces in cuts(text):
        call = JsonCall(KEYS)
        made = [each for piece in pieces for each in call.feed(piece)]
        assert call.rest == ""
        begin, *arguments = made
        assert isinstance(begin, CallStarted)
        found.add((begin.name, "".join(each.text for each in arguments if isinstance(each, Arguments))))
    (one,) = found
    return one


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('{"name": "f", "arguments": {"a": [1, {"b": "}"}]}}', '{"a": [1, {"b": "}"}]}'),
        ('{"arguments": {"a": 1.10}, "name": "f"}', '{"a": 1.10}'),
        ('{ "type" : "function" , "name" : "f" , "parameters" : { } }', "{ }"),
        ('{"name": "f", "arguments": "{\\"a\\": \\"\\\\\\"\\"}", "id": "x"}', '{"a": "\\""}'),
        ('{"arguments": "{}", "name": "f"}', "{}"),
    ],
)
def test_a_calls_arguments_are_given_as_they_are_written(text: str, arguments: str) -> None:
    assert _call(text) == ("f", arguments)
    ((name, written, _),) = read_json(text)
    assert (name, written) == ("f", arguments)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"name": "f", "arguments": [1]}',
        '{"name": 3, "arguments": {}}',
        '{"arguments": {}}',
        '{"name": "f", "arguments": {"a": NaN}}',
        '{"name": "f", "arguments": "x"}',
        '{"name": "f"} and more',
        '{"name": "f", "arguments": {"a": ' + "[" * 100_000 + "]" * 100_000 + "}}",
    ],
)
def test_what_is_no_call_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(text)


def test_objects_may_stand_in_a_list_or_one_behind_the_other() -> None:
    assert objects('[{"a": 1}, {"b": "]"}]') == objects('{"a": 1}; {"b": "]"}') == ['{"a": 1}', '{"b": "]"}']
