"""Whether a schema is one at all."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import jsonschema_rs

from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.json_schema.reading.keywords import TYPES
from ovms_llm.grammar.json_schema.reading.pointers import join

OTHER_NAMES = {
    "int": "integer",
    "long": "integer",
    "str": "string",
    "text": "string",
    "float": "number",
    "double": "number",
    "decimal": "number",
    "bool": "boolean",
    "list": "array",
    "tuple": "array",
    "dict": "object",
    "map": "object",
    "none": "null",
}


def check(schema: Any, original: Callable[[str], str]) -> None:
    """Raises `GrammarError` if `schema` breaks the metaschema; `original` tells where a part of it came from."""
    try:
        jsonschema_rs.meta.validate(schema)
    except jsonschema_rs.ValidationError as error:
        pointer = join("", *error.instance_path)
        raise GrammarError(_message(error), original(pointer)) from None


def _message(error: jsonschema_rs.ValidationError) -> str:
    if error.schema_path[-3:] == ["properties", "type", "anyOf"]:
        return f"{_shown(error.instance)} is no type; {_suggestion(error.instance)}"
    return f"this is not a valid JSON schema: {error.message[:300]}"


def _shown(value: Any) -> str:
    return f'"{value[:40]}"' if isinstance(value, str) else repr(value)[:60]


def _suggestion(value: Any) -> str:
    word = str(value).lower()
    near = [OTHER_NAMES[word]] if word in OTHER_NAMES else get_close_matches(word, TYPES, 1)
    return f'did you mean "{near[0]}"?' if near else f"the types are {', '.join(TYPES)}"
