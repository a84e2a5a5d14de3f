"""Answers of a form that was asked for: JSON, and texts of a pattern or a grammar."""

from __future__ import annotations

import json
from typing import Any, Final

from ovms_conformance.feature import Group, Target, expect, expect_fully, skip
from ovms_conformance.features.text.asking import PATH, ask, ask_streaming, question, said, said_in
from ovms_core.command import Answer

shaping = Group("Structured answers", needs="chat_model")

COLOUR: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["red", "green"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
_COLOURS: Final = {"red", "green"}
_NESTED: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "walls": {"type": "array", "items": {"$ref": "#/$defs/wall"}, "minItems": 2, "maxItems": 2},
        "coats": {"type": "integer", "minimum": 1, "maximum": 3},
        "note": {"anyOf": [{"type": "null"}, {"const": "none"}]},
    },
    "required": ["walls", "coats", "note"],
    "additionalProperties": False,
    "$defs": {"wall": COLOUR},
}
_WORD: Final = "Which colour has grass? One word."


def schema_format(schema: dict[str, Any], *, strict: bool = True) -> dict[str, Any]:
    """The `response_format` that asks for JSON of `schema`."""
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": strict, "schema": schema}}


def _shaped(target: Target, **fields: Any) -> str:
    return said(ask(target, _WORD, **{"max_tokens": 96, **fields}))


def _expect_colour(text: str) -> None:
    expect(json.loads(text).get("colour") in _COLOURS, "the answer is not of the schema")


@shaping.feature
def json_mode(target: Target) -> None:
    """`response_format: json_object` gives a JSON object; only `max_tokens` may cut it."""
    fields = {"response_format": {"type": "json_object"}, "max_tokens": 128}
    document = ask(target, "A person with a name and an age, as JSON.", **fields)
    text = said(document)
    expect(text.lstrip().startswith("{"), f"the answer begins with {text[:12]!r}")
    if document["choices"][0]["finish_reason"] == "stop":
        expect(isinstance(json.loads(text), dict), "the answer is no object")


@shaping.feature
def json_schema(target: Target) -> None:
    """`response_format: json_schema` gives JSON of that schema."""
    _expect_colour(_shaped(target, response_format=schema_format(COLOUR)))


@shaping.feature
def json_schema_with_parts(target: Target) -> None:
    """A schema may have `$defs` and `$ref`, `anyOf`, arrays, and bounds of numbers and counts: all are kept."""
    document = json.loads(_shaped(target, response_format=schema_format(_NESTED)))
    expect([wall["colour"] in _COLOURS for wall in document["walls"]] == [True, True], "the array is not of the schema")
    expect(document["coats"] in {1, 2, 3}, "the number is out of its bounds")
    expect(document["note"] in {None, "none"}, "the member of `anyOf` is none of them")


@shaping.feature
def json_schema_in_a_stream(target: Target) -> None:
    """The pieces of a stream are the JSON of the answer in one piece."""
    fields = {"response_format": schema_format(COLOUR), "max_tokens": 96}
    text = said_in(ask_streaming(target, _WORD, **fields))
    _expect_colour(text)
    expect_fully(text == _shaped(target, **fields), "the answer in one piece is another")


@shaping.feature
def several_choices_of_a_schema(target: Target) -> None:
    """With `n`, each of the answers is of the schema."""
    answer = ask(target, _WORD, response_format=schema_format(COLOUR), max_tokens=96, n=3, temperature=1)
    expect(len(answer["choices"]) == 3, f"{len(answer['choices'])} answers instead of 3")
    for index in range(3):
        _expect_colour(said(answer, index))


@shaping.feature
def schema_without_strict(target: Target) -> None:
    """With `strict: false`, a keyword that no grammar enforces is taken."""
    loose = {**COLOUR, "properties": {"colour": {"enum": ["red", "green"], "not": {"const": "blue"}}}}
    _expect_colour(_shaped(target, response_format=schema_format(loose, strict=False)))


@shaping.feature
def bad_schema_is_refused(target: Target) -> None:
    """A schema that is none is a 400, and harms nobody else."""
    answer = _answer_to(target, "no such type")
    ask(target)
    expect(answer.status >= 400, f"{answer.status} instead of 400")
    expect_fully(answer.status == 400, f"{answer.status} instead of 400")


@shaping.feature
def bad_schema_is_refused_with_its_place(target: Target) -> None:
    """The refusal of a schema says where in it the fault is, as a JSON pointer."""
    answer = _answer_to(target, "no such type")
    expect(answer.status == 400, f"{answer.status} instead of 400")
    place = f"{answer.json()['error'].get('param')} {answer.message}"
    expect_fully("colour" in place, "it does not name the property")
    expect_fully("/properties/colour" in place, "it has no JSON pointer")


def _answer_to(target: Target, type: str) -> Answer:
    """What a schema gets whose property has this `type`; one that is right is tried first."""
    if target.server.send_json(PATH, question(target, response_format=schema_format(COLOUR))).status != 200:
        skip("no schema is taken")
    schema = {**COLOUR, "properties": {"colour": {"type": type}}}
    return target.server.send_json(PATH, question(target, response_format=schema_format(schema)))


@shaping.feature
def guided_by_a_schema(target: Target) -> None:
    """vLLM's `structured_outputs` with `json` gives JSON of that schema."""
    _expect_colour(_shaped(target, structured_outputs={"json": COLOUR}))


@shaping.feature
def guided_by_a_regular_expression(target: Target) -> None:
    """`structured_outputs` with `regex` gives a text that it matches."""
    text = _shaped(target, structured_outputs={"regex": "(red|green) [0-9]{3}"})
    expect(text[:-4] in _COLOURS and text[-3:].isdigit(), f"the answer is {text[:40]!r}")


@shaping.feature
def guided_by_a_choice(target: Target) -> None:
    """`structured_outputs` with `choice` gives one of the texts."""
    text = _shaped(target, structured_outputs={"choice": ["red", "green"]})
    expect(text in _COLOURS, f"the answer is {text[:40]!r}")


@shaping.feature
def guided_by_a_grammar(target: Target) -> None:
    """`structured_outputs` with `grammar`, in the notation of GBNF, gives a text of it."""
    grammar = 'root ::= "<" colour ">"\ncolour ::= "red" | "green"'
    text = _shaped(target, structured_outputs={"grammar": grammar})
    expect(text in {"<red>", "<green>"}, f"the answer is {text[:40]!r}")


@shaping.feature
def older_names_of_guides(target: Target) -> None:
    """`guided_json`, `guided_regex`, `guided_choice` and `guided_grammar`, as vLLM had them, mean the same."""
    _expect_colour(_shaped(target, guided_json=COLOUR))
    grammar = 'root ::= "red" | "green"'
    for fields in ({"guided_choice": ["red", "green"]}, {"guided_regex": "red|green"}, {"guided_grammar": grammar}):
        expect_fully(_shaped(target, **fields) in _COLOURS, f"{next(iter(fields))} has no effect")


@shaping.feature
def completions_of_a_schema(target: Target) -> None:
    """`POST /completions` takes `response_format` too."""
    body = {"model": target.chat_model, "prompt": _WORD, "max_tokens": 96, "temperature": 0}
    answer = target.server.post("/completions", {**body, "response_format": schema_format(COLOUR)})
    _expect_colour(answer["choices"][0]["text"])


@shaping.feature
def no_endless_white_space(target: Target) -> None:
    """JSON does not run away into white space: a short document ends before `max_tokens`, at any temperature."""
    fields = {"response_format": schema_format(_NESTED), "max_tokens": 128, "n": 4, "temperature": 1.5}
    ended = [choice["finish_reason"] for choice in ask(target, "  \n\n  \n", **fields)["choices"]]
    expect(ended == ["stop"] * 4, f"the answers end with {ended}")


@shaping.feature
def free_beside_guided(target: Target) -> None:
    """A free answer is free again after a guided one, and the same as before."""
    before = said(ask(target))
    _shaped(target, response_format=schema_format(COLOUR))
    expect(before and said(ask(target)) == before, "the answer is another than before")
