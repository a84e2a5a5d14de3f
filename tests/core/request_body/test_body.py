from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, model_validator

from ovms_core.errors import APIError
from ovms_core.request_body.body import Body, Int, Json, Part, decode_body, fault


class Piece(Part):
    text: str
    int: Int = 0
    Style: str = ""


class Thing(Body):
    ignored: ClassVar[frozenset[str]] = frozenset({"user"})
    refused: ClassVar[Mapping[str, str]] = {"tools": "describe what you need in 'input'"}

    count: Annotated[Int, Field(ge=0, le=10)] = 1
    size: float = 0.0
    on: bool = False
    kind: Literal["a", "b"] = "a"
    input: str | list[str] | list[Piece] = ""
    stop: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=2)] = Field(default_factory=list)
    extra: dict[str, Json] = Field(default_factory=dict)
    options: Piece | None = None
    renamed: str = Field("", alias="re-named")

    @model_validator(mode="after")
    def _agree(self) -> Thing:
        if self.on and self.count > 5:
            raise fault("'count' over 5 needs 'on': false.", field="count", code="conflict")
        return self


def refused(document: Any) -> APIError:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(APIError) as caught:
        decode_body(raw, Thing)
    assert caught.value.status == 400
    return caught.value


def accepted(document: dict[str, Any]) -> Thing:
    return decode_body(json.dumps(document).encode(), Thing)[0]


def test_null_means_the_default_at_every_depth() -> None:
    thing = accepted({"count": None, "model": None, "input": [{"text": "a", "int": None}]})
    assert (thing.count, thing.model, thing.input) == (1, None, [Piece(text="a")])


def test_integral_floats_pass_for_integers() -> None:
    assert accepted({"count": 2.0}).count == 2
    assert refused({"count": 2.5}).param == "count"


def test_fields_without_effect_are_named_whatever_they_hold() -> None:
    assert decode_body(b'{"user": {"any": [1e999]}}', Thing)[1] == ["user"]
    assert decode_body(b'{"user": null}', Thing)[1] == []


def test_an_alias_is_a_known_name() -> None:
    assert accepted({"re-named": "x"}).renamed == "x"


PATHS: list[tuple[dict[str, Any], str, str]] = [
    ({"count": 11}, "count", "Invalid value for 'count': must be less than or equal to 10 (got 11)."),
    ({"count": True}, "count", "Invalid value for 'count': must be an integer (got true)."),
    ({"size": "x"}, "size", "Invalid value for 'size': must be a number (got \"x\")."),
    ({"kind": "c"}, "kind", "Invalid value for 'kind': must be 'a' or 'b' (got \"c\")."),
    ({"input": 5}, "input", "Invalid value for 'input': must be a string or an array (got 5)."),
    ({"input": [5]}, "input[0]", "Invalid value for 'input[0]': must be a string or an object (got 5)."),
    ({"input": [None]}, "input[0]", "Invalid value for 'input[0]': must be a string or an object (got null)."),
    ({"size": False}, "size", "Invalid value for 'size': must be a number (got false)."),
    ({"size": 'a"é\n'}, "size", 'Invalid value for \'size\': must be a number (got "a\\"é\\n").'),
    ({"input": [{}]}, "input[0].text", "Field 'input[0].text' is required."),
    ({"input": [{"text": "a"}, {"txt": "b"}]}, "input[1].text", "Field 'input[1].text' is required."),
    ({"input": [{"text": "a"}, {"texts": "b"}]}, "input[1].texts", "Unknown field 'texts'. Did you mean 'text'?"),
    (
        {"input": [{"text": "a", "int": "b"}]},
        "input[0].int",
        "Invalid value for 'input[0].int': must be an integer (got \"b\").",
    ),
    (
        {"options": {"text": "a", "Style": 1}},
        "options.Style",
        "Invalid value for 'options.Style': must be a string (got 1).",
    ),
    ({"options": "a"}, "options", "Invalid value for 'options': must be an object (got \"a\")."),
    ({"stop": ["a", ""]}, "stop[1]", "Invalid value for 'stop[1]': must have at least 1 character (got \"\")."),
    ({"stop": ["a"] * 3}, "stop", "Invalid value for 'stop': must have at most 2 items, not 3 (got an array)."),
    ({"countt": 1}, "countt", "Unknown field 'countt'. Did you mean 'count'?"),
    ({"count": 6, "on": True}, "count", "'count' over 5 needs 'on': false."),
]


@pytest.mark.parametrize(("document", "param", "message"), PATHS)
def test_an_error_has_the_json_path_and_says_what_would_be_right(
    document: dict[str, Any], param: str, message: str
) -> None:
    error = refused(document)
    assert (error.param, error.message) == (param, message)


def test_codes_tell_kinds_of_errors_apart() -> None:
    assert refused({"countt": 1}).code == "unknown_field"
    assert refused({"options": {}}).code == "missing_field"
    assert refused({"count": -1}).code == "invalid_value"
    assert refused({"count": 6, "on": True}).code == "conflict"
    assert refused(b"{").code == "invalid_json"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
@pytest.mark.parametrize("field", ["size", "count", "extra"])
def test_numbers_that_are_none_are_refused(number: str, field: str) -> None:
    value = f'{{"a": [{number}]}}' if field == "extra" else number
    assert refused(f'{{"{field}": {value}}}'.encode()).message


def test_any_json_holds_only_numbers_that_travel() -> None:
    assert accepted({"extra": {"a": [2**63 - 1, -(2**63), 0.5]}}).extra["a"][0] == 2**63 - 1
    error = refused({"extra": {"a": {"b": 2**63}}})
    assert (error.param, "64 bits" in error.message) == ("extra.a", True)


BROKEN = [
    b"",
    b"{",
    b"[1]",
    b'"text"',
    b"null",
    b'{"input": "\xff"}',
    b'{"input": "\\ud800"}',
    b'{"input": "\\udc00 x"}',
    b'{"\\ud800": 1}',
    b"[" * 100_000,
    b'{"extra":' * 100_000,
    '{"input": "ü"}'.encode("utf-16"),
    b'{"input": "a"} x',
    b'{"count": 01}',
]


@pytest.mark.parametrize("raw", BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    error = refused(raw)
    assert (error.code, error.param) == ("invalid_json", None)


def test_of_a_field_that_is_there_twice_the_last_counts() -> None:
    assert decode_body(b'{"count": 1, "count": 2}', Thing)[0].count == 2


def test_long_values_and_names_are_cut_in_messages() -> None:
    assert len(refused({"kind": "x" * 10_000}).message) < 200
    error = strictly_refused({"x" * 10_000: 1})
    assert len(error.message) < 200
    assert len(error.param or "") < 100


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)
names = st.sampled_from([*Thing.model_fields, "user", "text", "re-named"])


def outcome(raw: bytes) -> Thing | APIError:
    try:
        return decode_body(raw, Thing)[0]
    except APIError as error:
        return error


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(names, json_values, max_size=5))
def test_any_document_is_understood_or_a_400(document: dict[str, Any]) -> None:
    result = outcome(json.dumps(document).encode())
    if isinstance(result, APIError):
        assert result.status == 400
        assert json.loads(result.document())["error"]["message"]


def test_a_byte_order_mark_of_utf_8_is_skipped() -> None:
    assert decode_body('{"input": "a"}'.encode("utf-8-sig"), Thing)[0].input == "a"


def test_another_encoding_is_named() -> None:
    assert "Encode it in UTF-8" in refused('{"input": "a"}'.encode("utf-16")).message


UNKNOWN: list[tuple[dict[str, Any], list[str]]] = [
    ({"keep_alive": "5m", "user": "u"}, ["user", "keep_alive"]),
    ({"keep_alive": None}, []),
    ({"input": [{"text": "a"}, {"text": "b", "cache_control": {}}]}, ["input[1].cache_control"]),
    ({"options": {"text": "a", "seed": 1, "a b": 1}}, ["options.seed", "options.a b"]),
    ({"extra": {"anything": 1}}, []),
    ({"models": ["a"], "top_a": 1, "texts": "b"}, ["models", "top_a", "texts"]),
]


@pytest.mark.parametrize(("document", "ignored"), UNKNOWN)
def test_unknown_fields_are_accepted_and_named_by_their_paths(document: dict[str, Any], ignored: list[str]) -> None:
    assert decode_body(json.dumps(document).encode(), Thing)[1] == ignored


def test_a_field_that_would_be_missed_is_refused_unless_it_asks_for_nothing() -> None:
    error = refused({"tools": [{"name": "f"}]})
    assert (error.param, error.code) == ("tools", "unsupported_parameter")
    assert error.message == "'tools' is not supported: describe what you need in 'input'."
    assert decode_body(b'{"tools": []}', Thing)[1] == ["tools"]
    assert decode_body(b'{"tools": null}', Thing)[1] == []


def test_unknown_fields_are_not_part_of_a_body() -> None:
    thing = accepted({"zzz": "secret", "options": {"text": "a", "zzz": "secret"}})
    assert "secret" not in str(thing.model_dump()) + repr(thing)
    assert thing.model_fields_set == {"options"}


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("kin", None),  # three letters could be anything
        ("kindd", "kind"),
        ("sze", None),
        ("stopp", "stop"),
        ("stpo", None),
        ("renamde", "renamed"),
        ("rennamed", "renamed"),
        ("renaved", "renamed"),
        ("RE_NAMED", "re-named"),
        ("optons", "options"),
        ("optionz", "options"),
        ("renam", None),
        ("max_modl", None),
        ("renamed_by", None),
        ("extraordinary", None),
    ],
)
def test_a_slip_of_the_pen_is_refused_and_what_only_looks_alike_is_not(slip: str, meant: str | None) -> None:
    if meant is None:
        assert decode_body(json.dumps({slip: 1}).encode(), Thing)[1] == [slip]
        return
    error = refused({slip: 1})
    assert (error.code, error.param) == ("unknown_field", slip)
    assert error.message.replace("re-named", "renamed").endswith(
        f"Did you mean '{meant.replace('re-named', 'renamed')}'?"
    )


def strictly_refused(document: dict[str, Any]) -> APIError:
    thing = accepted(document)
    with pytest.raises(APIError) as caught:
        thing.refuse_unknown()
    return caught.value


def test_whoever_wants_no_unknown_fields_gets_the_first_with_the_nearest_name() -> None:
    error = strictly_refused({"input": [{"text": "a", "textual": 1}]})
    assert (error.status, error.param, error.code) == (400, "input[0].textual", "unknown_field")
    assert error.message == "Unknown field 'input[0].textual'. Did you mean 'text'?"
    accepted({"count": 1, "user": "u"}).refuse_unknown()


def test_many_unknown_fields_are_named_and_very_many_are_refused() -> None:
    document = {f"unknown_{index}": 1 for index in range(1000)}
    assert len(decode_body(json.dumps(document).encode(), Thing)[1]) == 1000
    error = refused({"options": {f"unknown_{index}": 1 for index in range(200_000)}})
    assert (error.code, error.param) == ("unknown_field", "options")
    assert "over 1000 unknown fields" in error.message
