"""What is wrong with a setting, said so that its author can put it right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Final, TypeVar, get_args

from pydantic import BaseModel, Secret, SecretBytes, SecretStr, ValidationError

from ovms_core.configuration.layer import Mark
from ovms_core.diagnostics.field_errors import FieldError, Path, clipped, field_errors, json_path, reason
from ovms_core.settings import Where

M = TypeVar("M", bound=BaseModel)

_SECRET = "api_keys"  # noqa: S105 - the name of a setting
_NOUNS: Final = {
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping of settings",
    "section_type": "a mapping of settings",
    "int_type": "an integer",
    "int_parsing": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
"""The types that a setting may be of, as YAML's authors know them."""


class ConfigurationError(Exception):
    """The settings are wrong. The message says which, where it was written, and what would be right."""


def validated(cls: type[M], values: Any, where: Where, at: Path = (), *, strict: bool = False) -> M:
    """`values` as a `cls`. Raises `ConfigurationError` with every problem, a line each; `at` is where they stand.

    With `strict`, unknown keys are problems even if the class ignores them.
    """
    try:
        return cls.model_validate(values, extra="forbid" if strict else None)
    except ValidationError as error:
        lines = dict.fromkeys(_problems(error, cls, values, where, at))
        raise ConfigurationError("\n".join(lines)) from None


def _problems(error: ValidationError, cls: type[BaseModel], values: Any, where: Where, at: Path) -> Iterator[str]:
    for path, errors in field_errors(error, values).items():
        full = (*at, *path)
        written = where(full)
        if isinstance(written, Mark):
            errors = [_without_value(error, written) for error in errors]
        said = _said(errors, full, path, cls)
        yield f"{written}: {said}" if written else said


class _Variable:
    """Stands for a value from variables in an error: it may be a secret."""

    def __init__(self, written: str) -> None:
        self._written = written

    def __repr__(self) -> str:
        return f"what '{self._written}' stands for"


def _without_value(error: FieldError, mark: Mark) -> FieldError:
    """`error` without the value, also where a validator repeats it."""
    value = error.value
    message = error.message.replace(value, mark.written) if isinstance(value, str) and value else error.message
    return replace(error, message=message, value=_Variable(mark.written))


def _said(errors: Sequence[FieldError], full: Path, path: Path, cls: type[BaseModel]) -> str:
    name, error = json_path(full), errors[0]
    match error.type:
        case "extra_forbidden":
            return f"'{name}' is not a setting.{_suggestion(full, path, cls)}"
        case "section_type" if close := _suggestion(full, path, cls):  # no plugin's section, but a misspelt key
            return f"'{name}' is not a setting.{close}"
        case "missing":
            return f"'{name}' is required."
        case "string_too_short":
            return f"'{name}' must not be empty."
    right = reason(errors, _NOUNS)
    what = right if right.startswith("must ") else f"is wrong: {right}"
    given = "" if full[:1] == (_SECRET,) or _is_secret(cls, path) else _given(error)
    return f"'{name}' {what}{given}{_hint(error)}"


def _is_secret(cls: type[BaseModel], path: Path) -> bool:
    """Whether what stands at `path` in a `cls` is, or is in, a field for secrets."""
    return any(
        _holds_secret(field.annotation)
        for end, key in enumerate(path)
        for model in _models_at(cls, path[:end])
        for name, field in model.model_fields.items()
        if key in (name, field.alias)
    )


def _holds_secret(annotation: Any) -> bool:
    cls = getattr(annotation, "__origin__", annotation)
    secret = isinstance(cls, type) and issubclass(cls, SecretStr | SecretBytes | Secret)
    return secret or any(map(_holds_secret, get_args(annotation)))


def _given(error: FieldError) -> str:
    kinds = {dict: "a mapping", list: "a list", type(None): "nothing"}
    return f", not {clipped(kinds.get(type(error.value)) or repr(error.value))}"


def _hint(error: FieldError) -> str:
    """How the sentence ends: with what to do, where that is known."""
    is_shown = not isinstance(error.value, _Variable)
    if error.type == "literal_error" and is_shown:
        allowed = [word for word in error.context["expected"].split("'")[1::2] if word]
        return f".{suggestion(str(error.value), allowed)}"
    is_scalar = not isinstance(error.value, dict | list | None)
    return ": put it in quotes." if error.type == "string_type" and is_shown and is_scalar else "."


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
