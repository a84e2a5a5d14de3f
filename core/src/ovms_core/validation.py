"""What pydantic complains of in a request, as an error that its author can act on."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ovms_core.errors import APIError


def taught(error: ValidationError, document: dict[str, Any]) -> APIError:
    """The error to show: the one that got furthest, because the members of a union all complain."""
    found = [(_path(detail, document), detail) for detail in error.errors(include_url=False)]
    furthest = max((path for path, _ in found), key=len)
    return _api_error(json_path(furthest), [detail for path, detail in found if path == furthest])


def _api_error(param: str, details: Sequence[ErrorDetails]) -> APIError:
    detail = next((detail for detail in details if detail["type"] == "fault"), details[0])
    if detail["type"] == "fault":
        return APIError(400, detail["ctx"]["message"], param=param or None, code=detail["ctx"]["code"])
    if detail["type"] == "missing":
        return APIError(400, f"Field '{param}' is required.", param=param, code="missing_field")
    if detail["type"] == "extra_forbidden":
        return APIError(400, f"Unknown field '{param}'.", param=param, code="unknown_field")
    where = f"Invalid value for '{param}'" if param else "Invalid request"
    return APIError(400, f"{where}: {_reason(details)}{_shown(detail)}.", param=param or None, code="invalid_value")


def _reason(details: Sequence[ErrorDetails]) -> str:
    """What would have been right: one of several types, or what the first complaint says."""
    kinds = [_TYPES[detail["type"]] for detail in details if detail["type"] in _TYPES]
    if len(kinds) == len(details):
        return "must be " + " or ".join(dict.fromkeys(kinds))
    complaint = next(detail for detail in details if len(details) == 1 or detail["type"] not in _TYPES)
    return _PYDANTIC_WORDS.sub(lambda found: "must" * ("should" in found[0]), complaint["msg"])


_PYDANTIC_WORDS: Final = re.compile(r"^Value error, |^\w+ should(?= )| after validation")

_TYPES: Final = {
    "string_type": "a string",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
}


def _path(detail: ErrorDetails, document: Any) -> list[str | int]:
    """The location without the names that pydantic adds for the members of a union: those are not in the document."""
    here, steps = document, list[str | int]()
    for position, step in enumerate(detail["loc"], start=1):
        is_missing = detail["type"] == "missing" and position == len(detail["loc"])
        if isinstance(step, int) and isinstance(here, list):
            here = here[step] if step < len(here) else None
        elif isinstance(here, dict) and (step in here or is_missing):
            here = here.get(step)
        else:
            continue
        steps.append(step)
    if detail["type"] == "fault" and detail["ctx"]["field"]:
        steps.append(detail["ctx"]["field"])
    return steps


def json_path(steps: Sequence[str | int]) -> str:
    """``["messages", 0, "content"]`` as ``messages[0].content``."""
    parts = (f"[{step}]" if isinstance(step, int) else f".{clipped(step)}" for step in steps)
    return "".join(parts).removeprefix(".")


def _shown(detail: ErrorDetails) -> str:
    value = detail["input"]
    if isinstance(value, dict | list):
        return f" (got {kind_of(value)})"
    return f" (got {clipped(_spelt(value))})"


def _spelt(value: object) -> str:
    """As the client wrote it in JSON; what a form holds besides text has no such spelling."""
    if isinstance(value, str | int | float | None):
        return json.dumps(value[:61] if isinstance(value, str) else value, ensure_ascii=False)
    return repr(value)


def clipped(text: str) -> str:
    """`text`, cut to what fits into a message."""
    return text if len(text) <= 60 else f"{text[:60]}…"


def kind_of(value: object) -> str:
    """What JSON calls the type of `value`, with its article."""
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
