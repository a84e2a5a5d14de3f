"""JSON schemas, good and bad."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.e2e.wild.languages import BAD_REGEXES, regex
from tests.e2e.wild.words import WORDS, broken

_BOUNDED = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_FORMATS = ("date", "date-time", "time", "email", "uuid", "ipv4", "uri", "hostname", "duration", "no-such-format")


def schema(chance: Random, depth: int = 3) -> dict[str, Any]:
    """A schema that makes sense."""
    kinds = [_text, _number, _enumeration, _constant, _flag]
    return chance.choice(kinds + [_object, _object, _array, _either] * (depth > 0))(chance, depth - 1)


def _object(chance: Random, depth: int) -> dict[str, Any]:
    names = chance.sample(WORDS, chance.randint(0, 4))
    made: dict[str, Any] = {"type": "object", "properties": {name: schema(chance, depth) for name in names}}
    if chance.random() < 0.8:
        made["additionalProperties"] = False
    return made | ({"required": names[: chance.randint(0, len(names))]} if chance.random() < 0.8 else {})


def _array(chance: Random, depth: int) -> dict[str, Any]:
    least = chance.randint(0, 3)
    made = {"type": "array", "items": schema(chance, depth)}
    return made | ({"minItems": least, "maxItems": least + chance.randint(0, 3)} if chance.random() < 0.7 else {})


def _either(chance: Random, depth: int) -> dict[str, Any]:
    return {
        chance.choice(["anyOf", "anyOf", "oneOf", "allOf"]): [
            schema(chance, depth) for _ in range(chance.randint(1, 3))
        ]
    }


def _text(chance: Random, depth: int) -> dict[str, Any]:
    extra: list[dict[str, Any]] = [{}, {"maxLength": chance.randint(0, 40)}, {"pattern": regex(chance)}]
    extra += [{"format": chance.choice(_FORMATS)}, {"minLength": 2, "maxLength": 2}]
    return {"type": "string"} | chance.choice(extra)


def _number(chance: Random, depth: int) -> dict[str, Any]:
    bounds = {
        name: chance.choice([-1000, -1, 0, 1, 7, 2.5, 10**12]) for name in chance.sample(_BOUNDED, chance.randint(0, 2))
    }
    return {"type": chance.choice(["integer", "number"])} | bounds


def _enumeration(chance: Random, depth: int) -> dict[str, Any]:
    return {"enum": chance.sample([*WORDS, 1, None, True, 2.5, [1], {"a": 1}], chance.randint(1, 6))}


def _constant(chance: Random, depth: int) -> dict[str, Any]:
    return {"const": chance.choice([*WORDS, 0, None, False, [], {"a": [1]}])}


def _flag(chance: Random, depth: int) -> dict[str, Any]:
    return {"type": chance.choice(["boolean", "null", ["string", "null"], ["integer", "boolean"]])}


def bomb(chance: Random) -> Any:
    """A schema that would take long to compile, or for ever."""
    size = chance.randint(1, 3) * 1000
    nested: dict[str, Any] = {"type": "string"}
    for _ in range(chance.choice([60, 90, 400])):
        nested = {"type": "array", "items": nested}
    return chance.choice([
        {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(size)}},
        {"$ref": "#"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"type": "object", "properties": {"again": {"$ref": "#"}}, "required": ["again"]},
        {"enum": [f"value {i}" for i in range(size)]},
        {"type": "string", "maxLength": size * 10},
        {"type": "string", "pattern": chance.choice(BAD_REGEXES)},
        {"type": "array", "items": {"type": "array", "items": {"type": "string"}, "minItems": size}, "minItems": size},
        {"anyOf": [{"type": "object", "properties": {f"p{i}": {"anyOf": [{"const": i}] * 9}}} for i in range(size)]},
        nested,
    ])  # fmt: skip


def any_schema(chance: Random) -> tuple[Any, bool]:
    """A schema, and whether it makes sense."""
    lot = chance.random()
    if lot < 0.55:
        return {
            "type": "object",
            "properties": {"it": schema(chance)},
            "required": ["it"],
            "additionalProperties": False,
        }, True
    return (bomb(chance), False) if lot > 0.9 else (broken(chance, schema(chance)), False)
