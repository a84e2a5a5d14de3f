"""Whether a finished document fits its schema, and where it does not."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import jsonschema_rs

from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.json_schema.reading.budget import Budget
from ovms_llm.grammar.json_schema.reading.checking import built, panics_as_errors
from ovms_llm.grammar.json_schema.reading.document import read
from ovms_llm.grammar.json_schema.reading.keywords import FORMATS, MANY, NAMED, ONE
from ovms_llm.grammar.json_schema.reading.pointers import join
from ovms_llm.grammar.limits import Limits

LENIENT = Limits(depth=200, size=2_000_000)
"""A schema that is only checked against may be far larger than one that is compiled."""
DEEPEST = 200
REMEMBERED = 64


class Validator:
    """Checks finished texts against a JSON schema, read as `translate` reads it.

    Raises `GrammarError` for a schema that texts cannot be checked against.
    """

    def __init__(self, schema: Any) -> None:
        try:
            self._compiled = _compiled(json.dumps(schema, separators=(",", ":")))
        except RecursionError:
            raise GrammarError("the schema is nested too deep to check documents against it") from None

    def check(self, text: str) -> str | None:
        """What is wrong with the JSON `text`, and where; `None` if it fits."""
        try:
            document = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            return f"it is no JSON: {error}"
        if _deeper(document, DEEPEST):
            return f"it is nested more than {DEEPEST} levels deep"
        return self._judge(document)

    def _judge(self, document: Any) -> str | None:
        try:
            with panics_as_errors():
                self._compiled.validate(document)
        except jsonschema_rs.ValidationError as error:
            place = join("", *error.instance_path)
            return f"{place or 'the document'}: {error.message[:500]}"
        except ValueError as error:
            return f"it cannot be checked: {error}"
        return None


@lru_cache(REMEMBERED)
def _compiled(text: str) -> jsonschema_rs.Draft202012Validator:
    document = read(json.loads(text), Budget(LENIENT))
    _keep_enforced_formats(document.root)
    try:
        return built(document.root)
    except jsonschema_rs.ValidationError as error:
        pointer = document.original(join("", *error.instance_path))
        raise GrammarError(f"this is not a valid JSON schema: {error.message[:300]}", pointer) from None
    except (ValueError, RecursionError) as error:
        raise GrammarError(f"documents cannot be checked against this schema: {error}") from error


def _keep_enforced_formats(schema: Any) -> None:
    """The library knows more formats than are enforced; those are annotations."""
    waiting = [schema]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            if here.get("format") not in FORMATS:
                here.pop("format", None)
            waiting += _schemas_of(here)


def _schemas_of(schema: dict[str, Any]) -> list[Any]:
    found: list[Any] = []
    for key, value in schema.items():
        if key in NAMED:
            found += value.values()
        elif key in MANY:
            found += value
        elif key in ONE or key.startswith("x-"):
            found.append(value)
    return found


def _deeper(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [inner for outer in level for inner in _children(outer)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [inner for inner in value.values() if isinstance(inner, (dict, list))]
    return [inner for inner in value if isinstance(inner, (dict, list))] if isinstance(value, list) else []


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")
