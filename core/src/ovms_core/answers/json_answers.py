"""JSON of what endpoints answer; of what cannot be written, the place in it is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from ovms_core.diagnostics.field_errors import json_path
from ovms_core.diagnostics.tracebacks import definition_place

_encode: Final = msgspec.json.Encoder().encode
_DEEPEST: Final = 100
_REFUSED: Final = (TypeError, ValueError, OverflowError, RecursionError)


class UnwritableError(TypeError):
    """A value that an endpoint answers with cannot be written as JSON. The message names its path."""

    def told_of(self, what: str, author: object = None) -> UnwritableError:
        """A copy that says what it is about, and where its `author`, a function, is written."""
        place = definition_place(author)
        return UnwritableError(f"{what}: {self}" + (f", in what {place} returns" if place else ""))


def to_bytes(document: Any) -> bytes:
    """`document` as JSON. Raises `UnwritableError`: ``choices[0].score: a value of type complex cannot …``."""
    try:
        return _encode(document)
    except _REFUSED as error:
        raise UnwritableError(_described(document, error)) from None


def _described(document: Any, error: Exception) -> str:
    steps: list[str | int] = []
    value = document
    for _ in range(_DEEPEST):
        found = next(((step, item) for step, item in _items(value) if not _can_be_written(item)), None)
        if found is None:
            return f"{json_path(steps) or 'the whole'}: {_fault(value, error)}"
        steps.append(found[0])
        value = found[1]
    return f"{json_path(steps[:3])}: it contains itself, or is nested too deeply for JSON"


def _fault(value: Any, error: Exception) -> str:
    if isinstance(value, str):
        return f"this text cannot be written as JSON: {error}"
    if isinstance(value, dict):
        wrong = next((key for key in value if not _can_be_written({key: None})), None)
        return f"a key of an object is text, not {wrong!r}"
    advice = ": use its model_dump()" if hasattr(value, "model_dump") else ""
    return f"a value of type {type(value).__name__} cannot be written as JSON{advice}"


def _can_be_written(value: Any) -> bool:
    try:
        _encode(value)
    except _REFUSED:
        return False
    return True


def _items(value: Any) -> Iterator[tuple[str | int, Any]]:
    """What is in `value`, each with the step that leads to it."""
    if isinstance(value, Mapping):
        yield from ((str(key), item) for key, item in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from enumerate(value)
    elif isinstance(value, msgspec.Struct):
        yield from ((name, getattr(value, name)) for name in value.__struct_fields__)
    elif dataclasses.is_dataclass(value):
        yield from ((field.name, getattr(value, field.name, None)) for field in dataclasses.fields(value))
