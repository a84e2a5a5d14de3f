"""JSON schemas as grammars: the documents that they make, and what is refused."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from tests.cost import cost
from tests.plugins.ovms_llm.grammar.acceptor import Writer, accepts, shape

from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.json_schema import translate
from ovms_llm.grammar.json_schema.reading.keywords import FORMATS
from ovms_llm.grammar.limits import Limits
from ovms_llm.grammar.nodes import Grammar
from ovms_llm.grammar.validation import Validator

Schema = dict[str, Any]


def closed(required: list[str] | None = None, /, **properties: Any) -> Schema:
    required = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


STRING, INTEGER, NUMBER, NULL = ({"type": name} for name in ("string", "integer", "number", "null"))
TREE = closed(["value"], value=INTEGER, left={"$ref": "#"}, right={"$ref": "#"})
CAT, DOG = closed(kind={"const": "cat"}, lives=INTEGER), closed(kind={"const": "dog"}, name=STRING)

FITTING: list[tuple[Any, list[str], list[str]]] = [
    (True, ["1", "{}", '{"a": [1, null], "b":{"c":"d"}}', '"x"', "-1.5e3"], ["", "{", "nul", "[1,]", "[1,  2]"]),
    ({}, ["1", "[[[]]]"], ["01", "1.", "--1", "'a'"]),
    (
        STRING,
        ['""', '"a"', '"\\n"', '"\\u00e9"', '"é😀"', '"\\ud83d\\ude00"', '"\\/"'],
        ['"', '"\n"', '"\\ud83d"', "a"],
    ),
    (NULL, ["null"], ["nil"]),
    ({"type": "boolean"}, ["true", "false"], ["True", "0"]),
    (INTEGER, ["0", "-7", "123456789012345"], ["01", "1.0", "+1", "-", "1" * 25]),
    (NUMBER, ["0", "-7.25", "1e5", "1.5E-7"], [".5", "1.", "1e", "1e1000"]),
    ({"type": ["string", "null"]}, ['"a"', "null"], ["1"]),
    ({"enum": ["a", 1, None, {"b": [1, 2]}]}, ['"a"', "1", "null", '{"b":[1,2]}'], ['"b"', "2"]),
    ({"enum": ["a", 1, "bcd"], "type": "string", "minLength": 2}, ['"bcd"'], ['"a"', "1"]),
    ({"const": 'a"b'}, ['"a\\"b"'], ['"a"']),
    (closed(), ["{}"], ['{"a":1}']),
    ({"type": "object"}, ["{}", '{"a":1, "b": []}'], ["[]", "{,}", '{"a":1,}']),
    (closed(a=STRING, b=INTEGER), ['{"a":"x","b":1}', '{"a": "x", "b": 1}'], ['{"b":1,"a":"x"}', '{"a":"x"}', "{}"]),
    (closed([], a=INTEGER, b=INTEGER), ["{}", '{"a":1}', '{"b":1}', '{"a":1,"b":2}'], ['{"b":2,"a":1}', '{,"b":1}']),
    (closed(["b"], a=INTEGER, b=INTEGER, c=NULL), ['{"b":1}', '{"a":1,"b":1,"c":null}'], ['{"a":1}', "{}"]),
    ({"properties": {"a": INTEGER}}, ["{}", '{"a":1}'], ['{"z":1}', '{"a":"x"}']),
    (
        {"type": "object", "properties": {"ab": INTEGER}, "additionalProperties": True},
        ['{"ab":1}', '{"a":"x"}', '{"ab":1,"abc":2}', '{"b":1,"x\\n":1}'],
        ['{"ab":"x"}', '{"ab":1,"ab":"x"}', '{"\\u0061b":"x"}', '{"x":1,"ab":2}'],
    ),
    ({"type": "object", "additionalProperties": INTEGER}, ["{}", '{"a":1,"b":2}'], ['{"a":"b"}']),
    ({"type": "object", "required": ["a"]}, ['{"a":1}', '{"a":{},"b":2}'][:1], ["{}"]),
    ({"type": "object", "minProperties": 1}, ['{"a":1}', '{"a":1,"b":1}'], ["{}"]),
    ({"type": "object", "maxProperties": 1}, ["{}", '{"a":1}'], ['{"a":1,"b":1}']),
    (closed([], a=NULL, b=NULL, c=NULL) | {"minProperties": 2}, ['{"a":null,"c":null}'], ['{"a":null}', "{}"]),
    (closed([], a=NULL, b=NULL, c=NULL) | {"maxProperties": 1}, ["{}", '{"c":null}'], ['{"a":null,"c":null}']),
    (
        {"type": "object", "propertyNames": {"enum": ["a", "b"]}, "additionalProperties": INTEGER},
        ["{}", '{"a":1}', '{"b":1,"a":2}'],
        ['{"c":1}', '{"a":"x"}'],
    ),
    (
        {"type": "object", "patternProperties": {"^x-[a-z]+$": INTEGER}, "additionalProperties": False},
        ["{}", '{"x-a":1}', '{"x-a":1,"x-b":2}'],
        ['{"y":1}', '{"x-a":"b"}', '{"x-":1}'],
    ),
    ({"type": "array"}, ["[]", '[1, "a",[]]'], ["{}", "[1 ,2]"]),
    ({"type": "array", "items": INTEGER, "minItems": 1, "maxItems": 2}, ["[1]", "[1,2]"], ["[]", "[1,2,3]", '["a"]']),
    ({"type": "array", "maxItems": 0}, ["[]"], ["[1]"]),
    ({"prefixItems": [STRING, INTEGER], "items": False, "minItems": 1}, ['["a"]', '["a",1]'], ["[]", '["a",1,2]']),
    ({"prefixItems": [STRING], "items": NULL}, ["[]", '["a"]', '["a",null,null]'], ["[null]", '["a",1]']),
    ({"type": "array", "items": [STRING], "additionalItems": False}, ["[]", '["a"]'], ['["a","b"]']),
    ({"type": "string", "minLength": 2, "maxLength": 3}, ['"ab"', '"ab\\n"', '"éé"'], ['"a"', '"abcd"']),
    ({"type": "string", "pattern": "^[a-c]{2}$"}, ['"ab"'], ['"abc"', '"ad"']),
    ({"type": "string", "pattern": '"'}, ['"a\\"b"'], ['"a"']),
    ({"type": "integer", "minimum": -12, "maximum": 105}, ["-12", "-9", "0", "99", "105"], ["-13", "106", "-0", "007"]),
    ({"type": "integer", "exclusiveMinimum": 0}, ["1", "20"], ["0", "-1"]),
    ({"type": "integer", "minimum": 5, "exclusiveMinimum": True}, ["6"], ["5"]),
    ({"type": "integer", "maximum": 1.5}, ["1", "-300"], ["2"]),
    ({"type": "integer", "multipleOf": 5}, ["0", "-15", "120"], ["3", "1"]),
    ({"type": "integer", "multipleOf": 7, "minimum": 1, "maximum": 20}, ["7", "14"], ["0", "21", "8"]),
    ({"type": "number", "multipleOf": 1}, ["3"], ["3.5"]),
    ({"type": "number", "multipleOf": 0.01, "minimum": 0}, ["3", "3.14", "0.5"], ["3.141", "-1"]),
    ({"type": "number", "minimum": -1.5, "exclusiveMaximum": 2.25}, ["-1.5", "-0.7", "0", "2.2499"], ["-1.51", "2.25"]),
    ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, ["0.5", "1", "0.01", "1.0"], ["0", "0.0", "1.01", "2"]),
    ({"type": "number", "minimum": 99.5}, ["99.5", "100", "1234.75"], ["99.4", "9", "-100"]),
    ({"anyOf": [STRING, INTEGER]}, ['"a"', "1"], ["null"]),
    ({"oneOf": [CAT, DOG]}, ['{"kind":"cat","lives":9}', '{"kind":"dog","name":"Rex"}'], ['{"kind":"dog","lives":9}']),
    (
        {"type": "object", "properties": {"a": STRING}, "anyOf": [{"required": ["a"]}, {"properties": {"b": NULL}}]},
        ['{"a":"x"}', '{"b":null}', "{}"],
        ['{"a":1}', '{"b":1}'],
    ),
    (
        {"allOf": [{"properties": {"a": STRING}, "required": ["a"]}, {"properties": {"b": NULL}, "type": "object"}]},
        ['{"a":"x"}', '{"a":"x","b":null}'],
        ["{}", '{"b":null}'],
    ),
    ({"allOf": [{"minimum": 3}, {"maximum": 5}, INTEGER]}, ["3", "5"], ["2", "6"]),
    (TREE, ['{"value":1}', '{"value":1,"left":{"value":2,"right":{"value":3}}}'], ['{"left":{"value":1}}']),
    ({"$ref": "#/$defs/a%20b", "$defs": {"a b": INTEGER}}, ["1"], ['"a"']),
    ({"$ref": "#/definitions/a~1b", "definitions": {"a/b": INTEGER}, "maximum": 3}, ["1"], ["4"]),
    ({"items": {"$ref": "#item"}, "$defs": {"x": {"$anchor": "item", "type": "null"}}}, ["[null]"], ["[1]"]),
    (
        {"$id": "http://a.org/s", "items": {"$ref": "http://a.org/s#/$defs/x"}, "$defs": {"x": NULL}},
        ["[null]"],
        ["1"],
    ),
    ({"$ref": "#/components/schemas/x", "components": {"schemas": {"x": INTEGER}}}, ["1"], ["null"]),
    ({"type": "string", "nullable": True}, ['"a"', "null"], ["1"]),
    ({"$ref": "#/$defs/x", "nullable": True, "$defs": {"x": INTEGER}}, ["1", "null"], ['"a"']),
    (closed(["b"], a=False, b=INTEGER), ['{"b":1}'], ['{"a":1,"b":1}']),
    ({"type": "string", "format": "made-up", "title": 3, "examples": "x"}, ['"a"'], ["1"]),
]


@pytest.mark.parametrize(("schema", "good", "bad"), FITTING, ids=lambda value: json.dumps(value)[:60])
def test_the_grammar_of_a_schema_makes_the_documents_that_fit(schema: Any, good: list[str], bad: list[str]) -> None:
    grammar = enforced(schema)
    assert [text for text in good if not accepts(grammar, text)] == []
    assert [text for text in bad if accepts(grammar, text)] == []
    assert [text for text in good if Validator(schema).check(text)] == []


def enforced(schema: Any) -> Grammar:
    translation = translate(schema)
    assert translation.unenforced == ()
    return translation.grammar


@pytest.mark.parametrize("schema", [schema for schema, _, _ in FITTING], ids=lambda value: json.dumps(value)[:60])
def test_what_a_grammar_makes_fits_its_schema(schema: Any) -> None:
    texts_fit(schema, 20)


def texts_fit(schema: Any, count: int) -> None:
    writer, validator = Writer(enforced(schema), 7), Validator(schema)
    for text in (writer.write() for _ in range(count)):
        assert validator.check(text) is None, text


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_what_a_format_makes_is_of_that_format(name: str) -> None:
    texts_fit({"type": "string", "format": name}, 150)


EXAMPLES = {
    "date": ["2024-02-29", "1999-12-31"],
    "date-time": ["2024-02-29T23:59:59Z", "2024-01-01T00:00:00.123+05:30"],
    "time": ["10:20:30Z"],
    "duration": ["P1Y2M3DT4H5M6S", "PT15M", "P2W"],
    "email": ["jane.doe+tag@example.co.uk"],
    "hostname": ["localhost", "www.example.com", "a-b.c"],
    "ipv4": ["255.255.255.255", "127.0.0.1"],
    "ipv6": ["::", "::1", "2001:db8::8a2e:370:7334", "1:2:3:4:5:6:7:8"],
    "uri": ["https://example.com:8080/a/b?c=d#e", "mailto:a@b.c", "urn:isbn:123"],
    "uuid": ["123e4567-e89b-12d3-a456-426614174000"],
}


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_format_lets_usual_texts_through(name: str) -> None:
    grammar = enforced({"type": "string", "format": name})
    assert all(accepts(grammar, json.dumps(text)) for text in EXAMPLES[name])
    assert not accepts(grammar, '"hello world"')


@pytest.mark.parametrize(("low", "high"), [(-25, 131), (0, 0), (7, 7), (98, 1203), (-1005, -3), (None, 17), (95, None)])
def test_integers_are_bounded_exactly(low: int | None, high: int | None) -> None:
    bounds = {"minimum": low, "maximum": high}
    grammar = enforced({"type": "integer", **{key: value for key, value in bounds.items() if value is not None}})
    for value in range(-1100, 1300):
        fits = (low is None or value >= low) and (high is None or value <= high)
        assert accepts(grammar, str(value)) == fits, value


@settings(max_examples=40, deadline=None)
@given(st.decimals(-120, 120, places=2), st.decimals(-120, 120, places=2), st.booleans(), st.data())
def test_decimal_numbers_are_bounded_exactly(one: Any, other: Any, exclusive: bool, data: st.DataObject) -> None:
    low, high = sorted((float(one), float(other)))
    if low == high:
        return
    keys = ("exclusiveMinimum", "exclusiveMaximum") if exclusive else ("minimum", "maximum")
    grammar = enforced({"type": "number", keys[0]: low, keys[1]: high})
    drawn: list[Decimal] = data.draw(st.lists(st.decimals(-125, 125, places=3), max_size=20))
    for value in [low, high, *map(float, drawn)]:
        fits = low < value < high if exclusive else low <= value <= high
        text = f"{value:.3f}".rstrip("0").rstrip(".") or "0"
        assert accepts(grammar, "0" if text == "-0" else text) == fits, text


REFUSED: list[tuple[Any, str, str]] = [
    (False, "", "nothing fits"),
    ({"enum": []}, "/enum", "no value"),
    ({"$ref": "#"}, "", "refers to itself"),
    ({"type": "integer", "minimum": 4, "maximum": 3}, "/minimum", "from 4 to 3"),
    ({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 4}, "/exclusiveMinimum", "excluded"),
    ({"type": "string", "minLength": 4, "maxLength": 3}, "/minLength", "at least 4 and at most 3"),
    ({"allOf": [STRING, INTEGER]}, "/allOf/1/type", "exclude each other"),
    (closed(a=False), "/properties/a", "false"),
    ({"type": "object", "required": ["a"], "additionalProperties": False}, "/additionalProperties", "false"),
    (closed(a={"$ref": "#"}), "", "contains itself"),
    ({"type": "array", "minItems": 2, "maxItems": 1}, "/minItems", "at least 2 items"),
    ({"anyOf": [False, False]}, "/anyOf", "none of these"),
    ({"type": "strng"}, "/type", 'did you mean "string"?'),
    ({"type": "int"}, "/type", 'did you mean "integer"?'),
    ({"items": {"type": ["string", "nul"]}}, "/items/type", "no type"),
    ({"properties": []}, "/properties", "not a valid JSON schema"),
    ({"properties": {"a/b": {"minLength": -1}}}, "/properties/a~1b/minLength", "not a valid JSON schema"),
    ({"items": [{"type": "x"}]}, "/items/0/type", "no type"),
    ({"properties": {"type": "string"}}, "/properties/type", "not a valid JSON schema"),
    (closed([], a=NULL, b=NULL) | {"minProperties": 2, "maxProperties": 1}, "/minProperties", "numbers of properties"),
    ([], "", "not a valid JSON schema"),
    ({"items": {"$ref": "#/$defs/x"}}, "/items/$ref", "points to nothing"),
    ({"items": {"$ref": "#x"}}, "/items/$ref", "no anchor"),
    ({"$ref": "https://example.com/schema.json"}, "/$ref", "outside the schema"),
]


@pytest.mark.parametrize(("schema", "pointer", "message"), REFUSED, ids=lambda value: json.dumps(value)[:60])
@pytest.mark.parametrize("strict", [True, False])
def test_a_schema_that_nothing_fits_or_that_is_none_is_refused(
    schema: Any, pointer: str, message: str, strict: bool
) -> None:
    with pytest.raises(GrammarError, match=re.escape(message)) as caught:
        translate(schema, strict=strict)
    assert caught.value.pointer == pointer


UNENFORCEABLE: list[tuple[Any, str, str]] = [
    (closed(a={"not": STRING}), "/properties/a/not", '{"a":1}'),
    ({"type": "integer", "if": {"minimum": 3}, "then": {"maximum": 9}}, "/if", "4"),
    ({"type": "array", "uniqueItems": True}, "/uniqueItems", "[1,2]"),
    ({"type": "array", "contains": INTEGER}, "/contains", "[1]"),
    ({"type": "object", "unevaluatedProperties": INTEGER}, "/unevaluatedProperties", '{"a":1}'),
    ({"oneOf": [{"type": "boolean"}, {"multipleOf": 5}]}, "/oneOf", "5"),
    (closed([], a=NULL, b=NULL) | {"dependentRequired": {"a": ["b"]}}, "/dependentRequired", "{}"),
    (closed([], a=NULL, b=NULL) | {"dependencies": {"a": ["b"]}}, "/dependencies", "{}"),
    ({"type": "integer", "multipleOf": 7}, "/multipleOf", "14"),
    ({"type": "number", "multipleOf": 0.3}, "/multipleOf", "0.6"),
    ({"type": "string", "pattern": "^(?=a)"}, "/pattern", '"ab"'),
    ({"type": "string", "pattern": "^a", "maxLength": 3}, "/maxLength", '"ab"'),
    ({"oneOf": [{"type": "string", "minLength": 2}, STRING]}, "/oneOf", '"a"'),
    ({"type": "object", "minProperties": 2}, "/minProperties", '{"a":1,"b":2}'),
    ({"type": "array", "items": [{"not": NULL}]}, "/items/0/not", "[1]"),
]


@pytest.mark.parametrize(("schema", "pointer", "fitting"), UNENFORCEABLE, ids=lambda value: json.dumps(value)[:60])
def test_what_cannot_be_enforced_is_named_and_only_widens(schema: Any, pointer: str, fitting: str) -> None:
    with pytest.raises(GrammarError, match='"strict": false') as caught:
        translate(schema)
    relaxed = translate(schema, strict=False)
    assert caught.value.pointer == pointer
    assert relaxed.unenforced == (pointer,)
    assert accepts(relaxed.grammar, fitting)
    assert Validator(schema).check(fitting) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "uniqueItems": True, "maxItems": 1},
        {"type": "array", "uniqueItems": False},
        {"type": "string", "pattern": "^a+$", "minLength": 0},
        {"type": "string", "format": "uuid", "minLength": 36, "maxLength": 36},
        {"not": False, "type": "string"},
        {"enum": [1, 2, 3], "not": {"const": 2}},
        {"enum": ["a", "ba"], "pattern": "^(?!b)"},
        {"type": "object", "propertyNames": {"enum": [1, "b"]}, "required": ["b"]},
        {"type": "object", "propertyNames": {}, "required": ["b"]},
        {"anyOf": [NUMBER, {"type": "string", "pattern": "^(?!a)"}]},
        closed(a=INTEGER) | {"unevaluatedProperties": False},
    ],
    ids=json.dumps,
)
def test_what_holds_anyway_is_not_complained_about(schema: Any) -> None:
    texts_fit(schema, 20)


LENGTHS_BESIDE_PATTERNS: list[tuple[Any, list[str], list[str]]] = [
    ({"pattern": "^[a-z]+$", "minLength": 2, "maxLength": 3}, ['"ab"', '"abc"'], ['"a"', '"abcd"']),
    ({"pattern": "^[A-Z][a-z]*$", "maxLength": 3}, ['"A"', '"Abc"'], ['"Abcd"']),
    ({"pattern": '^(?:[a-z"]{0,9})$', "minLength": 2}, ['"ab"', '"\\"a"'], ['"a"']),
    ({"pattern": r"^\d{3}-\d{4}$", "minLength": 1, "maxLength": 20}, ['"555-1234"'], ['"555"']),
    ({"pattern": r"\S", "minLength": 1}, ['"a"', '" a"'], ['""']),
    ({"pattern": "^(a|bcd*)$", "maxLength": 3}, ['"a"', '"bc"', '"bcd"'], ['"bcdd"']),
]


@pytest.mark.parametrize(("keywords", "fitting", "others"), LENGTHS_BESIDE_PATTERNS, ids=str)
def test_lengths_become_counts_of_a_patterns_repetition(keywords: Any, fitting: list[str], others: list[str]) -> None:
    schema = {"type": "string", **keywords}
    grammar = translate(schema).grammar
    assert all(accepts(grammar, text) and Validator(schema).check(text) is None for text in fitting)
    assert not any(accepts(grammar, text) for text in others)


def test_the_way_out_is_told_in_one_sentence() -> None:
    with pytest.raises(GrammarError, match="write it without; leave it out, or"):
        translate({"type": "string", "pattern": "^(?=a)"})


def nested(depth: int) -> Schema:
    schema: Schema = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def chain(length: int) -> Schema:
    links = {f"a{i}": {"type": "object", "properties": {"x": {"$ref": f"#/$defs/a{i + 1}"}}} for i in range(length)}
    return {"$ref": "#/$defs/a0", "$defs": {**links, f"a{length}": STRING}}


def references(length: int) -> Schema:
    links: Schema = {f"a{i}": {"$ref": f"#/$defs/a{i + 1}"} for i in range(length)}
    return {"$ref": "#/$defs/a0", "$defs": {**links, f"a{length}": STRING}}


CROSSED = {"allOf": [{"anyOf": [{"required": [f"{i}{j}"]} for i in range(10)]} for j in range(10)]}
BOMBS: dict[str, Any] = {
    "10 000 properties": {"type": "object", "properties": {f"p{i}": STRING for i in range(10_000)}},
    "5 000 levels": nested(5_000),
    "an enumeration of 100 000": {"enum": list(range(100_000))},
    "a chain of 5 000 objects": chain(5_000),
    "a chain of 5 000 references": references(5_000),
    "alternatives crossed": CROSSED,
    "a long text": {"type": "string", "maxLength": 1_000_000},
    "arrays in arrays": {"maxItems": 9_000, "items": {"maxItems": 9_000, "items": STRING}},
    "2 000 objects in one": {"allOf": [closed(None, **{f"p{i}": STRING}) for i in range(2_000)]},
    "2 000 patterns": {"patternProperties": {f"^{i}": STRING for i in range(2_000)}, "required": list("abcdefghij")},
}


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_within_a_second(name: str, strict: bool) -> None:
    def refused() -> None:
        with pytest.raises(GrammarError):
            translate(BOMBS[name], strict=strict)

    assert cost(refused) < 1


def test_alternatives_that_are_crossed_count_with_all_that_they_combine() -> None:
    bounds = [{"anyOf": [{"minimum": 10 * i + j} for i in range(3)]} for j in range(5)]
    schema = {"type": "integer", "allOf": bounds}
    assert translate(schema).unenforced == ()
    with pytest.raises(GrammarError, match="fewer properties, enum values and alternatives"):
        translate(schema, limits=Limits(size=5 * 3**5))


def test_optional_properties_take_a_grammar_that_is_linear_in_them() -> None:
    few, many = (shape(enforced(closed([], **{f"p{i}": STRING for i in range(n)}))) for n in (50, 200))
    assert many["nodes"] < 4.5 * few["nodes"]


def test_many_declared_names_are_kept_from_the_additional_ones_at_little_cost() -> None:
    names = [first + rest for first in "abcdefghij" for rest in ("", "lpha", "\n", '"eta', "é")]
    schema = closed([], **dict.fromkeys(names, INTEGER)) | {"additionalProperties": STRING}
    grammar = enforced(schema)
    assert accepts(grammar, '{"alpha":1,"zeta":"x"}')
    assert [name for name in names if accepts(grammar, json.dumps({name: "x"}, ensure_ascii=False))] == []
    texts_fit(schema, 20)


def test_limits_bound_depth_and_size() -> None:
    assert translate(nested(5), limits=Limits(depth=6)).unenforced == ()
    with pytest.raises(GrammarError, match="more than 4 levels"):
        translate(nested(5), limits=Limits(depth=4))
    with pytest.raises(GrammarError, match="too large"):
        translate(closed(a=STRING, b=INTEGER), limits=Limits(size=10))


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    street: str = Field(min_length=1, max_length=20)
    code: Annotated[str, Field(pattern=r"^\d{5}$")]
    country: Literal["DE", "FR"] = "DE"


class Node(BaseModel):
    value: int
    children: list[Node] = []


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: Annotated[int, Field(ge=0, le=9)]


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    weight: Annotated[float, Field(gt=0, lt=100)]


class Person(BaseModel):
    """One of everything."""

    name: str
    age: int | None = None
    colour: Colour
    addresses: list[Address]
    scores: dict[str, int]
    by_colour: dict[Colour, float]
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    other: Cat | Dog | None
    born: date
    seen: datetime
    slept: timedelta
    id: UUID
    pair: tuple[int, str]
    tags: Annotated[list[str], Field(max_length=3)] = Field(default_factory=list)
    anything: Any = None


@pytest.mark.parametrize("model", [Address, Node, Cat, Dog, Person])
def test_what_pydantic_makes_of_a_model_is_enforced(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    writer = Writer(enforced(schema), 3)
    for text in (writer.write() for _ in range(30)):
        assert Validator(schema).check(text) is None, text
        model.model_validate_json(text)


def scalars() -> st.SearchStrategy[Schema]:
    small = st.integers(-30, 200)
    return st.one_of(
        st.sampled_from([STRING, INTEGER, NUMBER, NULL, {"type": "boolean"}, {"type": ["integer", "null"]}]),
        st.builds(lambda a, b: {"type": "integer", "minimum": min(a, b), "maximum": max(a, b)}, small, small),
        st.builds(
            lambda a, b: {"type": "string", "minLength": a, "maxLength": a + b}, st.integers(0, 3), st.integers(0, 3)
        ),
        st.lists(st.sampled_from(["a", "b", 1, 1.5, None, True]), min_size=1, unique_by=repr).map(
            lambda values: {"enum": values}
        ),
        st.floats(-9, 9).map(lambda low: {"type": "number", "minimum": round(low, 2)}),
    )


def composed(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    names = st.sampled_from(["a", "b", "ab", "c"])
    objects = st.builds(
        lambda properties, required, more: {
            "type": "object",
            "properties": properties,
            "required": sorted(set(required) & set(properties)),
            "additionalProperties": more,
        },
        *(st.dictionaries(names, inner, max_size=3), st.lists(names, max_size=3), st.one_of(st.booleans(), inner)),
    )
    arrays = st.builds(lambda item, n: {"type": "array", "items": item, "minItems": n}, inner, st.integers(0, 2))
    tuples = st.lists(inner, min_size=1, max_size=3).map(lambda items: {"type": "array", "prefixItems": items})
    either = st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options})
    both = st.lists(objects, min_size=1, max_size=2).map(lambda members: {"allOf": members})
    return st.one_of(objects, arrays, tuples, either, both)


SCHEMAS = st.recursive(scalars(), composed, max_leaves=6)
DOCUMENTS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-30, 200), st.sampled_from(["", "a", "bc", 'd"'])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "ab", "b", "c"]), inner, max_size=3)
    ),
    max_leaves=5,
)


def relaxed(schema: Any) -> Grammar | None:
    try:
        translation = translate(schema, strict=False)
    except GrammarError:
        return None
    return None if translation.unenforced else translation.grammar


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SCHEMAS, st.randoms(use_true_random=False))
def test_what_the_grammar_of_any_schema_makes_fits_it(schema: Any, chance: Any) -> None:
    grammar = relaxed(schema)
    if grammar is not None:
        writer, validator = Writer(grammar, chance, size=40), Validator(schema)
        for text in (writer.write() for _ in range(5)):
            assert validator.check(text) is None, text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SCHEMAS, st.lists(DOCUMENTS, min_size=1, max_size=5))
def test_a_document_that_the_grammar_of_any_schema_accepts_fits_it(schema: Any, documents: list[Any]) -> None:
    grammar = relaxed(schema)
    validator = jsonschema_rs.Draft202012Validator(schema)
    for document in documents:
        if grammar is not None and accepts(grammar, json.dumps(document)):
            assert validator.is_valid(document)
