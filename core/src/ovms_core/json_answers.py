"""JSON of what endpoints answer; of what cannot be written, the place in it is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

_encode: Final = msgspec.json.Encoder().encode
_DEEPEST: Final = 100
_REFUSED: Final = (TypeError, ValueError, OverflowError, RecursionError)


class UnwritableError(TypeError):
    """A value that an endpoint answers with cannot be written as JSON. The message names its path."""


def to_bytes(document: Any) -> bytes:
    """`document` as JSON. Raises `UnwritableError`: ``choices[0].score: a complex cannot be written as JSON``."""
    try:
        return _encode(document)
    except _REFUSED as error:
        raise UnwritableError(_described(document, error)) from None


def _described(document: Any, error: Exception) -> str:
    path, value = "", document
    for _ in range(_DEEPEST):
        found = next(((key, item) for key, item in _items(value) if not _can_be_written(item)), None)
        if found is None:
            return f"{path.removeprefix('.') or 'the whole'}: {_fault(value, error)}"
        path, value = path + found[0], found[1]
    return f"{path[:80].removeprefix('.')}…: it contains itself, or is nested too deeply for JSON"


def _fault(value: Any, error: Exception) -> str:
    if isinstance(value, str):
        return f"this text cannot be written as JSON: {error}"
    if isinstance(value, dict):
        wrong = next((key for key in value if not _can_be_written({key: None})), None)
        return f"a key of an object is text, not {wrong!r}"
    advice = ": use its model_dump()" if hasattr(value, "model_dump") else ""
    return f"a {type(value).__name__} cannot be written as JSON{advice}"


def _can_be_written(value: Any) -> bool:
    try:
        _encode(value)
    except _REFUSED:
        return False
    return True


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    """What is in `value`, each with its path from there."""
    if isinstance(value, Mapping):
        yield from ((f".{key}", item) for key, item in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"[{index}]", item) for index, item in enumerate(value))
    elif isinstance(value, msgspec.Struct) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        fields = getattr(value, "__struct_fields__", None) or [each.name for each in dataclasses.fields(value)]
        yield from ((f".{name}", getattr(value, name, None)) for name in fields)
