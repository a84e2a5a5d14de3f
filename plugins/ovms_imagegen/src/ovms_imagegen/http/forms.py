"""Multipart forms with pictures in them (RFC 7578)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from ovms_core.plugin import APIError
from ovms_imagegen.http.bodies import ImageBody, from_form

PICTURES = {"image": "image", "image[]": "image", "image[0]": "image", "mask": "mask"}
"""The fields that hold pictures, by the names that clients give them."""

_MAX_FILES = 8
_MAX_FIELDS = 64
_MAX_FIELD_BYTES = 1 << 18


def is_form(request: Request) -> bool:
    """Whether the request says that its body is a multipart form."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "multipart/form-data"


def require_form_or_json(request: Request) -> None:
    """Raise `APIError` 415 unless the request says that its body is one of the two."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind not in ("multipart/form-data", "application/json"):
        message = f"Content-Type must be multipart/form-data or application/json, not '{kind[:80]}'."
        raise APIError(415, message, code="unsupported_media_type")


async def read_form(request: Request) -> list[tuple[str, str | bytes]]:
    """The form's fields: pictures as bytes, all else as text. Raises `APIError` 400."""
    try:
        async with request.form(max_files=_MAX_FILES, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES) as form:
            return [(name, await _content(name, value)) for name, value in form.multi_items()]
    except (MultiPartException, HTTPException) as error:
        reason = getattr(error, "detail", None) or str(error)
        raise APIError(400, f"The multipart form cannot be read: {reason}", code="invalid_form") from None
    except OSError as error:
        message = f"The server cannot keep the upload while it reads it ({error.strerror}): its TMPDIR needs room."
        raise APIError(500, message, code="storage_failed") from None


async def _content(name: str, value: str | UploadFile) -> str | bytes:
    if isinstance(value, str):
        return value
    if name in PICTURES:
        return await value.read()
    if name in ImageBody.model_fields:
        raise APIError(400, f"Field '{name}' must be text, not a file.", param=name, code="invalid_value")
    return value.filename or "a file"  # of an unknown field, which is only named


def form_document(fields: Iterable[tuple[str, str | bytes]]) -> dict[str, Any]:
    """A form as the JSON object that it stands for, its pictures as bytes. Raises `APIError` 400."""
    document: dict[str, Any] = {}
    for name, value in fields:
        meant = value if isinstance(value, bytes) else from_form(name, value)
        _put(document, PICTURES.get(name, name), meant)
    return document


def _put(document: dict[str, Any], name: str, value: Any) -> None:
    if name not in document:
        document[name] = value
    elif name == "image":
        raise APIError(400, "Send one picture: this server edits one at a time.", param="image", code="invalid_value")
    else:
        raise APIError(400, f"Field '{name}' is there twice.", param=name, code="invalid_value")
