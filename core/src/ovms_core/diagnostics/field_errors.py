"""What pydantic says of a document, one error a field: where, what would be right, and which value it was.

How it is told depends on who reads it: the author of a request (`ovms_core.request_body.validation`) knows JSON,
the author of settings (`ovms_core.configuration.errors`) YAML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]
"""The way to a value, such as ``("models", 0, "device")``."""

_LONGEST: Final = 60


@dataclass(frozen=True, slots=True)
class FieldError:
    """One error: pydantic's `type` of it and `message`, the `value` at fault, and the validator's own `context`."""

    type: str
    message: str
    value: Any
    context: Mapping[str, Any]


def field_errors(error: ValidationError, document: Any) -> dict[Path, list[FieldError]]:
    """The errors by their place in `document`. Of a union every member has one, which may be deeper than another's."""
    found: dict[Path, list[FieldError]] = {}
    for detail in error.errors(include_url=False):
        one = FieldError(detail["type"], detail["msg"], detail["input"], detail.get("ctx", {}))
        found.setdefault(_place(detail, document), []).append(one)
    return found


def _place(detail: ErrorDetails, document: Any) -> Path:
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
    return tuple(steps)


def reason(errors: Sequence[FieldError], nouns: Mapping[str, str]) -> str:
    """What would be right at one place: one of several types, as `nouns` has them, or what the first error says.

    It begins with ``must`` where it can follow the field's name.
    """
    kinds = [nouns[error.type] for error in errors if error.type in nouns]
    if len(kinds) == len(errors):
        return "must be " + " or ".join(dict.fromkeys(kinds))
    told = next(error for error in errors if len(errors) == 1 or error.type not in nouns)
    return _PYDANTIC_WORDS.sub(lambda found: "must" * ("should" in found[0]), told.message)


_PYDANTIC_WORDS: Final = re.compile(r"^Value error, |^\w+ should(?= )| after validation|, unable to .*|\.$")


def json_path(steps: Sequence[str | int]) -> str:
    """``["messages", 0, "content"]`` as ``messages[0].content``."""
    parts = (f"[{step}]" if isinstance(step, int) else f".{clipped(step)}" for step in steps)
    return "".join(parts).removeprefix(".")


def clipped(text: str) -> str:
    """`text`, cut to what fits into a message."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
