"""Long lists and objects of a body, validated a slice at a time.

pydantic validates a list in one call into C, which holds the interpreter until it is through, and complains of every
element: a million wrong ones take seconds. In slices, other threads have their turn, and the first wrong slice ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, Final, get_args

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from ovms_core.off_loop import give_way

SLICE: Final = 1024

_WITHIN: Final = ("schema", "fields", "choices", "items_schema", "values_schema", "definitions")
"""Where a schema has others inside."""


def in_slices(schema: Any) -> Any:
    """`schema`, in which every list and every dictionary is validated a slice at a time."""
    if isinstance(schema, list):
        return [in_slices(each) for each in schema]
    if isinstance(schema, tuple):  # a choice with its label
        return (in_slices(schema[0]), *schema[1:])
    if not isinstance(schema, dict) or _is_sliced(schema):
        return schema
    if not isinstance(schema.get("type"), str):  # fields by their names, and choices by their tags
        return {name: in_slices(each) for name, each in schema.items()}
    schema = {name: in_slices(each) if name in _WITHIN else each for name, each in schema.items()}
    sliced = _SLICED.get(schema["type"])
    if sliced is None or schema.get("min_length", 0) > 1 or "max_length" in schema:
        return schema
    return core_schema.no_info_wrap_validator_function(sliced, schema)


def _is_sliced(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "function-wrap" and schema["function"].get("function") in _SLICED.values()


def _list(value: Any, handler: Callable[[Any], list[Any]]) -> list[Any]:
    if type(value) is not list or len(value) <= SLICE:
        return handler(value)
    found: list[Any] = []
    for start in range(0, len(value), SLICE):
        give_way()
        try:
            found += handler(value[start : start + SLICE])
        except ValidationError as error:
            raise _moved(error, start) from None
    return found


def _dict(value: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    if type(value) is not dict or len(value) <= SLICE:
        return handler(value)
    found: dict[str, Any] = {}
    items = iter(value.items())
    while part := dict(islice(items, SLICE)):
        give_way()
        found |= handler(part)
    return found


_SLICED: Final[dict[str, Callable[..., Any]]] = {"list": _list, "dict": _dict}
_KNOWN: Final = frozenset(get_args(core_schema.ErrorType))


def _moved(error: ValidationError, start: int) -> ValidationError:
    """`error`, of a slice that begins at `start`, with the places that its elements have in the whole list."""
    details = []
    for each in error.errors(include_url=False):
        kind: Any = each["type"]
        if kind not in _KNOWN:
            kind = PydanticCustomError(kind, each["msg"], each.get("ctx"))
        index, *rest = each["loc"]
        where = (start + index, *rest) if isinstance(index, int) else each["loc"]
        details.append(InitErrorDetails(type=kind, loc=where, input=each["input"], ctx=each.get("ctx", {})))
    return ValidationError.from_exception_data(error.title, details)
