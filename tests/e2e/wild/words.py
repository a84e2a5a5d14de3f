"""Texts that something may go wrong with, and values that do not belong where they are put."""

from __future__ import annotations

from random import Random
from typing import Any

WORDS = (
    *("a", "b2", "colour", "größe", "naïve café", "漢字", "🦜", "", " ", '"', "\\", "</tool_call>"),
    *("<|im_end|>", "a/b~c", "\u0000"),
)
BAD_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 1.5, 1e308, 10**40, "", "no such thing", [], [[]], {}, {"a": {}}, "\ud83e"),
)
_KEYWORDS = (
    *("type", "properties", "required", "items", "enum", "const", "anyOf", "oneOf", "allOf", "not", "if", "$ref"),
    *(
        "$defs",
        "pattern",
        "format",
        "minimum",
        "maxLength",
        "minItems",
        "prefixItems",
        "additionalProperties",
        "patternProperties",
        "multipleOf",
    ),
)


def broken(chance: Random, value: Any) -> Any:
    """`value` with something in it that does not belong there."""
    if isinstance(value, dict) and value and chance.random() < 0.6:
        name = chance.choice(list(value))
        return {**value, name: broken(chance, value[name])}
    if isinstance(value, dict) and chance.random() < 0.7:
        return {**value, chance.choice(_KEYWORDS): chance.choice(BAD_VALUES)}
    if isinstance(value, list) and value and chance.random() < 0.6:
        at = chance.randrange(len(value))
        return [*value[:at], broken(chance, value[at]), *value[at + 1 :]]
    return chance.choice(BAD_VALUES)
