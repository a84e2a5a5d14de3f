"""What is wrong with a request, as an error that its author can act on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError

from ovms_core.diagnostics.field_errors import FieldError, clipped, field_errors, json_path, reason
from ovms_core.errors import APIError

_NOUNS: Final = {
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
"""The types that a field may be of, as JSON names them."""


def api_error_of(error: ValidationError, document: dict[str, Any]) -> APIError:
    """The error to show: the one that got furthest, because the members of a union all complain."""
    found = field_errors(error, document)
    furthest = max(found, key=len)
    return _api_error(json_path(furthest), found[furthest])


def _api_error(param: str, errors: Sequence[FieldError]) -> APIError:
    error = next((error for error in errors if error.type == "fault"), errors[0])
    match error.type:
        case "fault":
            return APIError(400, error.context["message"], param=param or None, code=error.context["code"])
        case "missing":
            return APIError(400, f"Field '{param}' is required.", param=param, code="missing_field")
        case "extra_forbidden":
            return APIError(400, f"Unknown field '{param}'.", param=param, code="unknown_field")
    where = f"Invalid value for '{param}'" if param else "Invalid request"
    message = f"{where}: {reason(errors, _NOUNS)} (got {_shown(error.value)})."
    return APIError(400, message, param=param or None, code="invalid_value")


def _shown(value: object) -> str:
    """As the client wrote it in JSON; what a form holds besides text has no such spelling."""
    if isinstance(value, dict | list):
        return kind_of(value)
    if isinstance(value, bytes):
        return f"a file of {len(value)} bytes"
    spelt = json.dumps(value[:61] if isinstance(value, str) else value, ensure_ascii=False, default=repr)
    return clipped(spelt)


def kind_of(value: object) -> str:
    """What JSON calls the type of `value`, with its article."""
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
