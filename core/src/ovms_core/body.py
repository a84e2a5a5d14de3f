"""The base of request bodies: strict JSON into pydantic models, errors that name the field."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic import model_validator as _model_validator
from pydantic_core import ErrorDetails, PydanticCustomError, from_json

from ovms_core.errors import APIError

B = TypeVar("B", bound="Body")


def fault(message: str, *, field: str = "", code: str = "invalid_value") -> PydanticCustomError:
    """What a validator raises to have its own words in the 400: a whole sentence, and the `code`.

    `field` is the path of the member at fault from where the validator stands (``stream_options``).
    """
    return PydanticCustomError("fault", "{message}", {"message": message, "field": field, "code": code})


def _integral(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Int = Annotated[int, BeforeValidator(_integral)]
"""An integer that may be written as an integral float (``2.0``), as JavaScript clients do."""

_INT64: Final = range(-(2**63), 2**63)


def _portable(value: Any) -> Any:
    """`value`, if every number in it fits 64 bits and is finite: others do not travel to an engine."""
    if isinstance(value, dict):
        for item in value.values():
            _portable(item)
    elif isinstance(value, list):
        for item in value:
            _portable(item)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("numbers must be finite")
    elif isinstance(value, int) and value not in _INT64:
        raise ValueError("integers must fit 64 bits")
    return value


Json = Annotated[Any, AfterValidator(_portable)]
"""Any JSON value, its numbers finite and of 64 bits at most."""


class Part(BaseModel):
    """An object inside a body: strict types, unknown fields refused, no NaN or infinity.

    A ``null`` in it means that the field was not given.
    """

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    @_model_validator(mode="before")
    @classmethod
    def _given_and_known(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        given = {name: item for name, item in value.items() if item is not None}
        if cls.model_config.get("extra") == "forbid":
            cls._refuse_unknown(given)
        return given

    @classmethod
    def _refuse_unknown(cls, given: dict[str, Any]) -> None:
        if given.keys() <= cls.__pydantic_fields__.keys():
            return
        known = list(_names(cls))
        for name in given:
            if name not in known:
                message = f"Unknown field '{_clipped(name)}'.{_suggestion(name, known)}"
                raise fault(message, field=_clipped(name), code="unknown_field")


def _names(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        alias = field.validation_alias
        for choice in alias.choices if isinstance(alias, AliasChoices) else [alias]:
            if isinstance(choice, str):
                yield choice


class Body(Part):
    """A request body.

    Fields named in `ignored` are accepted without effect and said so in ``x-ignored-params``.
    """

    ignored: ClassVar[frozenset[str]] = frozenset()

    model: str | None = None


_BYTE_ORDER_MARKS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode_body(raw: bytes, body: type[B]) -> tuple[B, list[str]]:
    """Parse `raw` as JSON into `body`; return it with the names of the fields that have no effect.

    Of a member that is there twice the last one counts. Raises `APIError` 400 with the JSON path of
    the first field at fault.
    """
    try:
        document = from_json(raw, allow_inf_nan=False, allow_partial=False)
    except ValueError as error:
        hint = " Encode it in UTF-8, without a byte order mark." if raw.startswith(_BYTE_ORDER_MARKS) else ""
        raise APIError(400, f"The request body is not valid JSON: {error}.{hint}", code="invalid_json") from None
    if not isinstance(document, dict):
        raise APIError(400, f"The request body must be a JSON object, not {_kind(document)}.", code="invalid_json")
    return validate_body(document, body)


def validate_body(document: dict[str, Any], body: type[B]) -> tuple[B, list[str]]:
    """As `decode_body`, for a body that has been parsed already (from a form, for instance)."""
    if body.ignored.isdisjoint(document):
        fields, ignored = document, []
    else:
        fields = {name: value for name, value in document.items() if name not in body.ignored}
        ignored = [name for name, value in document.items() if name in body.ignored and value is not None]
    try:
        return body.model_validate(fields), ignored
    except ValidationError as error:
        raise _teach(error, fields) from None


def _teach(error: ValidationError, document: dict[str, Any]) -> APIError:
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
    parts = (f"[{step}]" if isinstance(step, int) else f".{_clipped(step)}" for step in steps)
    return "".join(parts).removeprefix(".")


def _shown(detail: ErrorDetails) -> str:
    value = detail["input"]
    if isinstance(value, dict | list):
        return f" (got {_kind(value)})"
    return f" (got {_clipped(_spelt(value))})"


def _spelt(value: object) -> str:
    """As the client wrote it in JSON; what a form holds besides text has no such spelling."""
    if isinstance(value, str | int | float | None):
        return json.dumps(value[:61] if isinstance(value, str) else value, ensure_ascii=False)
    return repr(value)


def _clipped(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"


def _suggestion(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(_clipped(name), known, n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
