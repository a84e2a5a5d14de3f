"""What is wrong with a setting, said so that its author can put it right."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ovms_core.configuration.layer import Mark, Path, json_path
from ovms_core.settings import Where

M = TypeVar("M", bound=BaseModel)

_SECRET = "api_keys"  # noqa: S105 - the name of a setting


class ConfigurationError(Exception):
    """The settings are wrong. The message says which, where it was written, and what would be right."""


def validated(cls: type[M], values: Any, where: Where, at: Path = ()) -> M:
    """`values` as a `cls`. Raises `ConfigurationError` with every problem, a line each; `at` is where they stand."""
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        lines = dict.fromkeys(_problems(error, cls, values, where, at))
        raise ConfigurationError("\n".join(lines)) from None


def _problems(error: ValidationError, cls: type[BaseModel], values: Any, where: Where, at: Path) -> Iterator[str]:
    seen: set[Path] = set()
    for detail in error.errors(include_url=False):
        path = _in_document(detail["loc"], values)
        if path not in seen:  # of a union, what the first member says
            seen.add(path)
            full = (*at, *path)
            written = where(full)
            said = _said(_hidden(detail, written) if isinstance(written, Mark) else detail, full, path, cls)
            yield f"{written}: {said}" if written else said


class _Hidden:
    """Stands for a value from variables in an error."""

    def __init__(self, written: str) -> None:
        self._written = written

    def __repr__(self) -> str:
        return f"what '{self._written}' stands for"


def _hidden(detail: ErrorDetails, mark: Mark) -> ErrorDetails:
    """`detail` without the value, also where a validator repeats it."""
    value = detail["input"]
    message = detail["msg"].replace(value, mark.written) if isinstance(value, str) and value else detail["msg"]
    return {**detail, "input": _Hidden(mark.written), "msg": message}


def _in_document(location: Path, values: Any) -> Path:
    """The location without the names that pydantic adds for the members of a union."""
    path: list[str | int] = []
    for step in location:
        if isinstance(values, dict) and (step in values or step == location[-1]):
            values = values.get(step)
        elif isinstance(values, list) and isinstance(step, int) and step < len(values):
            values = values[step]
        else:
            continue
        path.append(step)
    return tuple(path)


def _said(detail: ErrorDetails, full: Path, path: Path, cls: type[BaseModel]) -> str:
    name = json_path(full)
    match detail["type"]:
        case "extra_forbidden":
            return f"'{name}' is not a setting.{_suggestion(full, path, cls)}"
        case "missing":
            return f"'{name}' is required."
        case "literal_error":
            return f"'{name}' {_reason(detail)}{_given(detail, full)}.{_nearest(detail)}"
        case "string_too_short":
            return f"'{name}' must not be empty."
        case "model_type":
            return f"'{name}' must be a mapping of settings{_given(detail, full)}."
        case "string_type" if not isinstance(detail["input"], dict | list | _Hidden | None):
            return f"'{name}' must be text{_given(detail, full)}: put it in quotes."
        case _:
            return f"'{name}' {_reason(detail)}{_given(detail, full)}."


def _reason(detail: ErrorDetails) -> str:
    """Pydantic's sentence, made to follow the setting's name."""
    reason = detail["msg"].removeprefix("Value error, ").rstrip(".")
    for start in ("Input should be ", "Value should be "):
        if reason.startswith(start):
            return "must be " + re.split(", (?:unable|got)", reason.removeprefix(start))[0]
    return reason.replace("should ", "must ", 1) if " should " in reason else f"is wrong: {reason}"


def _given(detail: ErrorDetails, full: Path) -> str:
    value = detail["input"]
    if full and full[0] == _SECRET:
        return ""
    kinds = {dict: "a mapping", list: "a list", type(None): "nothing"}
    shown = kinds.get(type(value)) or repr(value)
    return f", not {shown[:60]}{'…' if len(shown) > 60 else ''}"


def _nearest(detail: ErrorDetails) -> str:
    allowed = [word for word in detail.get("ctx", {}).get("expected", "").split("'")[1::2] if word]
    return "" if isinstance(detail["input"], _Hidden) else suggestion(str(detail["input"]), allowed)


def _suggestion(full: Path, path: Path, cls: type[BaseModel]) -> str:
    models = list(_models_at(cls, path[:-1]))
    close = suggestion(str(path[-1]), [name for model in models for name in model.model_fields])
    if close or not any("options" in model.model_fields for model in models):
        return close
    return f" Settings of the task itself go under '{json_path((*full[:-1], 'options'))}'."


def suggestion(name: str, known: Sequence[str]) -> str:
    """The end of an error message: ``Did you mean 'cache_size'?``, or nothing when no name is near."""
    close = get_close_matches(name, known, n=1) or [each for each in known if each.lower() == name.lower()]
    return f" Did you mean '{close[0]}'?" if close else ""


def _models_at(annotation: Any, path: Path) -> Iterator[type[BaseModel]]:
    """The classes that may stand at `path` in a value of type `annotation`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not path:
            yield annotation
        elif path[0] in annotation.model_fields:
            yield from _models_at(annotation.model_fields[str(path[0])].annotation, path[1:])
        return
    inner = path[1:] if getattr(annotation, "__origin__", None) in (list, dict, tuple) else path
    for argument in get_args(annotation):
        yield from _models_at(argument, inner)
