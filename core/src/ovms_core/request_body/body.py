"""The base of request bodies: strict JSON into pydantic models, errors that name the field."""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from inspect import get_annotations
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic import model_validator as _model_validator
from pydantic_core import CoreSchema, PydanticCustomError, from_json

from ovms_core.diagnostics.field_errors import Path, json_path
from ovms_core.errors import APIError
from ovms_core.request_body.large_json import parse_large
from ovms_core.request_body.slices import in_slices
from ovms_core.request_body.unknown_fields import find_slip, suggestion, take_unknown
from ovms_core.request_body.validation import api_error_of, kind_of

B = TypeVar("B", bound="Body")


def fault(message: str, *, field: str = "", code: str = "invalid_value") -> PydanticCustomError:
    """The error that a validator raises to set the message of the 400, a whole sentence, and its `code`.

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
"""Any JSON value. Its numbers must be finite, and its integers must fit 64 bits."""


_MOST_UNKNOWN: Final = 1000


class Part(BaseModel):
    """An object inside a body: strict types, no NaN or infinity.

    A ``null`` in it means that the field was not given. A field that it does not have has no effect, and is said so in
    ``x-ignored-params`` by its path; one that misses a field by a slip (``max_token``) is refused.
    """

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False, protected_namespaces=())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return in_slices(handler(source))  # type: ignore[no-any-return]

    @_model_validator(mode="before")
    @classmethod
    def _given_and_meant(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if len(value) > len(cls.__pydantic_fields__) + _MOST_UNKNOWN:
            raise fault(f"An object has over {_MOST_UNKNOWN} unknown fields: leave them out.", code="unknown_field")
        given = {name: item for name, item in value.items() if item is not None}
        if not given.keys() <= cls.__pydantic_fields__.keys() and (slip := find_slip(given, cls)):
            name, meant = slip
            raise fault(f"Unknown field '{name}'. Did you mean '{meant}'?", field=name, code="unknown_field")
        return given


class Body(Part):
    """A request body.

    Fields named in `ignored` are accepted without effect and said so in ``x-ignored-params``; so is `model` where the
    endpoint has no task, unless the class declares it again. Those in `refused` cannot be had and would be missed: such
    a request is a 400, with the advice that stands beside the name.

    Example::

        class SummaryBody(Body):
            refused = {"tools": "describe what you need in the text"}

            text: str
    """

    ignored: ClassVar[frozenset[str]] = frozenset()
    refused: ClassVar[Mapping[str, str]] = {}

    model: str | None = None

    _unknown: ClassVar[Sequence[Path]] = ()  # an instance has its own where there are any: private attributes cost more

    def without_effect(self) -> Iterator[str]:
        """The paths of known fields whose values have no effect in this request; by default none."""
        return iter(())

    def refuse_unknown(self) -> None:
        """Raise `APIError` 400 for the first unknown field of the request."""
        if not self._unknown:
            return
        *parents, name = self._unknown[0]
        path, hint = json_path(self._unknown[0]), suggestion(str(name), _holder(self, parents))
        raise APIError(400, f"Unknown field '{path}'.{hint}", param=path, code="unknown_field")


@cache
def declares_model(body: type[Body]) -> bool:
    """Whether a class has a field `model` of its own, not the one that all have."""
    return any("model" in get_annotations(each) for each in body.__mro__[: body.__mro__.index(Body)])


def _holder(body: BaseModel, steps: list[str | int]) -> type[BaseModel]:
    """The class of the object in `body` to which `steps` lead."""
    here: Any = body
    for step in steps:
        here = getattr(here, str(step)) if isinstance(here, BaseModel) else here[step]
    return type(here)


LARGE: Final = 64 << 10
"""Bytes of a body from which on it is parsed off the event loop: a smaller one is parsed before it is handed over."""

_OTHER_ENCODINGS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode_body(raw: bytes, body: type[B]) -> tuple[B, list[str]]:
    """Parse `raw` as JSON into `body`; return it with the paths of the fields that have no effect.

    If a member is there twice, the last one counts. Raises `APIError` 400 with the JSON path of
    the first wrong field.
    """
    text = raw.removeprefix(codecs.BOM_UTF8)
    try:
        document = parse_large(text) if len(raw) > LARGE else from_json(text, allow_inf_nan=False, allow_partial=False)
    except ValueError as error:
        hint = " Encode it in UTF-8." if raw.startswith(_OTHER_ENCODINGS) else ""
        raise APIError(400, f"The request body is not valid JSON: {error}.{hint}", code="invalid_json") from None
    if not isinstance(document, dict):
        raise APIError(400, f"The request body must be a JSON object, not {kind_of(document)}.", code="invalid_json")
    return validate_body(document, body)


def validate_body(document: dict[str, Any], body: type[B], *, strict: bool | None = None) -> tuple[B, list[str]]:
    """As `decode_body`, for a body that has been parsed already (from a form, for instance).

    If `strict` is false, a number or a boolean may be written as text, as in a query.
    """
    if not body.refused.keys().isdisjoint(document):
        _refuse(body, document)
    fields, ignored = document, list[str]()
    if not body.ignored.isdisjoint(document):
        fields = {name: value for name, value in document.items() if name not in body.ignored}
        ignored = [name for name, value in document.items() if name in body.ignored and value is not None]
    try:
        # as `model_validate`, for half its time
        parsed: B = body.__pydantic_validator__.validate_python(fields, strict=strict)
    except ValidationError as error:
        raise api_error_of(error, fields) from None
    if unknown := list(take_unknown(parsed)):
        parsed.__dict__["_unknown"] = unknown
        ignored += map(json_path, unknown)
    return parsed, ignored


def _refuse(body: type[Body], document: dict[str, Any]) -> None:
    for name in body.refused.keys() & document.keys():
        if document[name] not in (None, False, [], {}, ""):
            message = f"'{name}' is not supported: {body.refused[name]}."
            raise APIError(400, message, param=name, code="unsupported_parameter")
