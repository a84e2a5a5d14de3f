from typing import Any

import pytest

from ovms_llm.grammar import formats
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.guides import Output, format_of
from ovms_llm.grammar.limits import Limits
from ovms_llm.grammar.structural_tag import structural_tag


def _leaf(kind: str, value: Any, pointer: str) -> Any:
    return {"type": kind, "value": value, "at": pointer}


def _read(document: Any) -> Any:
    return structural_tag(document, _leaf, depth=8)


REGEX = {"type": "regex", "pattern": "[ab]+"}
TAG = {"type": "tag", "begin": "<a>", "content": REGEX, "end": "</a>"}


def test_the_current_form_is_put_together_anew() -> None:
    inner = {
        "type": "triggered_tags",
        "triggers": ["<a"],
        "tags": [TAG],
        "at_least_one": True,
        "stop_after_first": False,
    }
    parts = [{"type": "const_string", "value": "x"}, {"type": "or", "elements": [inner, {"type": "any_text"}]}]
    made = _read({"type": "structural_tag", "format": {"type": "sequence", "elements": parts}})
    assert made["elements"][0] == formats.text("x")
    assert made["elements"][1]["elements"][0] == inner | {
        "tags": [TAG | {"content": _leaf("regex", "[ab]+", "/format/elements/1/elements/0/tags/0/content/pattern")}]
    }


def test_the_older_form_becomes_triggered_tags() -> None:
    schema = {"type": "object"}
    made = _read({"structures": [{"begin": "<f=a>", "schema": schema, "end": "</f>"}], "triggers": ["<f="]})
    content = _leaf("json_schema", schema, "/structures/0/schema")
    assert made == formats.triggered(["<f="], [formats.tag("<f=a>", content, "</f>")])


@pytest.mark.parametrize(
    ("format", "pointer"),
    [
        ({"type": "star", "content": TAG}, "/format/type"),
        ({"type": "sequence", "elements": []}, "/format/elements"),
        ({"type": "sequence", "elements": [{"type": "const_string"}]}, "/format/elements/0/value"),
        ({"type": "regex"}, "/format"),
        ({**TAG, "end": 1}, "/format/end"),
        ({"type": "triggered_tags", "triggers": ["<b"], "tags": [TAG]}, "/format/tags/0/begin"),
        ({"type": "triggered_tags", "triggers": [], "tags": [TAG]}, "/format/triggers"),
        ({"type": "tags_with_separator", "separator": ",", "tags": [TAG], "at_least_one": 1}, "/format/at_least_one"),
        ("text", "/format"),
    ],
)
def test_what_is_not_understood_is_named_by_its_pointer(format: Any, pointer: str) -> None:
    with pytest.raises(GrammarError) as refused:
        _read({"type": "structural_tag", "format": format})
    assert refused.value.pointer == pointer


def test_deep_tags_are_refused() -> None:
    format: Any = REGEX
    for _ in range(10):
        format = {**TAG, "content": format}
    with pytest.raises(GrammarError, match="too large"):
        _read({"type": "structural_tag", "format": format})


LARGE = {
    "long texts": [{"type": "const_string", "value": "word " * 500} for _ in range(40)],
    "many free texts": [{**TAG, "content": {"type": "any_text"}} for _ in range(200)],
}


@pytest.mark.parametrize("elements", LARGE.values(), ids=LARGE)
def test_texts_count_for_the_size_of_a_tag(elements: Any) -> None:
    with pytest.raises(GrammarError, match=r"use fewer tags.* is 40000"):
        format_of(Output("structural_tag", {"type": "sequence", "elements": elements}), Limits())
    few = {"type": "sequence", "elements": elements[:3]}
    assert format_of(Output("structural_tag", few), Limits()).size < 5_000
