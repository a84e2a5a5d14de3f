"""A function's parameters: their schemas, and what a value is that a model wrote as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ovms_llm.speech.functions.literals import Broken, constant, written
from ovms_llm.speech.functions.tools import Function

_NAMES: Final = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
_REFERENCES: Final = 16


def properties(function: Function) -> dict[str, Any]:
    """The schemas of the parameters by name, the required ones that have none included."""
    schema = resolved(function.parameters, function.parameters)
    known = schema.get("properties")
    required = schema.get("required")
    names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    return (dict(known) if isinstance(known, Mapping) else {}) | {
        name: True for name in names if not isinstance(known, Mapping) or name not in known
    }


def required(function: Function) -> frozenset[str]:
    """The names of the parameters that have to be there."""
    names = resolved(function.parameters, function.parameters).get("required")
    return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()


def resolved(schema: Any, root: Mapping[str, Any]) -> dict[str, Any]:
    """`schema`, or what it refers to in `root`; an empty one for what cannot be found."""
    for _ in range(_REFERENCES):
        if not isinstance(schema, Mapping):
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return dict(schema)
        schema = _pointed(reference, root)
    return {}


def _pointed(reference: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found


def kinds(schema: Any, root: Mapping[str, Any], depth: int = 0) -> frozenset[str] | None:
    """The types that a value may have, by JSON schema's names; `None` for any."""
    known = resolved(schema, root)
    if "const" in known or isinstance(known.get("enum"), list):
        return frozenset(_kind(value) for value in known.get("enum") or [known["const"]])
    if (type_ := known.get("type")) is not None:
        return frozenset([type_] if isinstance(type_, str) else type_)
    options = known.get("anyOf") or known.get("oneOf")
    if not isinstance(options, list) or depth > _REFERENCES:
        return None
    found = [kinds(each, root, depth + 1) for each in options]
    return None if None in found else frozenset().union(*(each for each in found if each))


def is_text(schema: Any, root: Mapping[str, Any]) -> bool:
    """Whether a value can be nothing but a string."""
    return kinds(schema, root) == frozenset({"string"})


def _kind(value: Any) -> str:
    return _NAMES.get(type(value), "null")


def value_of(text: str, allowed: frozenset[str] | None) -> str:
    """The value that a model wrote as bare `text`, as JSON text: a string where nothing else that is allowed fits."""
    for read in (_as_json, constant):
        try:
            value = read(text.strip())
        except (Broken, ValueError, RecursionError):
            continue
        if _fits(value, allowed):
            return value
    return written(text)


def _as_json(text: str) -> str:
    json.loads(text, parse_constant=_refuse)
    return text


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _fits(value: str, allowed: frozenset[str] | None) -> bool:
    if allowed is None:
        return True
    kind = _kind(json.loads(value))
    return kind in allowed or (kind == "integer" and "number" in allowed)
