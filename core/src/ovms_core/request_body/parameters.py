"""Requests without a body: their fields stand in the path and in the query."""

from __future__ import annotations

from typing import Any, Final, get_origin

from starlette.requests import Request

from ovms_core.errors import APIError
from ovms_core.request_body.body import B, validate_body

_ARRAY: Final = "[]"
_MOST_FIELDS: Final = 1000


def read_parameters(request: Request, body: type[B]) -> tuple[B, list[str]]:
    """The parameters of the path and the query as a `body`, with the names of those that have no effect.

    Raises `APIError` 400 with the name of the first parameter at fault.
    """
    fields: dict[str, Any] = {}
    arrays = {name for name, field in body.model_fields.items() if get_origin(field.annotation) is list}
    for name, value in request.query_params.multi_items():
        name = name + _ARRAY if name in arrays else name
        _put(fields, name, value)
    return validate_body({**fields, **request.path_params}, body, strict=False)


def _put(fields: dict[str, Any], name: str, value: str) -> None:
    """Add a parameter; a name that is there already, or ends in ``[]``, is an array's."""
    if name.endswith(_ARRAY):
        fields.setdefault(name.removesuffix(_ARRAY), [])
    elif name not in fields:
        if len(fields) == _MOST_FIELDS:
            raise APIError(400, f"The query has more than {_MOST_FIELDS} parameters.", code="invalid_value")
        fields[name] = value
        return
    name = name.removesuffix(_ARRAY)
    before = fields[name]
    fields[name] = [*before, value] if isinstance(before, list) else [before, value]
