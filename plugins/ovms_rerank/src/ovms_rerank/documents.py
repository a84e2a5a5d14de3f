"""The texts of a request's documents, which may be objects."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ovms_core.plugin import APIError

Document = str | Mapping[str, Any]


def require_text(text: str, path: str) -> str:
    """`text`; raises `APIError` 400 when there is nothing but white space in it."""
    if not text.strip():
        raise APIError(400, f"'{path}' is empty: give it some text.", param=path, code="invalid_value")
    return text


def texts_of(documents: Sequence[Document], rank_fields: Sequence[str] | None) -> list[str]:
    """What is ranked of each document: a string itself, or `rank_fields` of an object, by default ``text``.

    Raises `APIError` 400 with the path of the document at fault.
    """
    if rank_fields and all(isinstance(document, str) for document in documents):
        message = "'rank_fields' names fields of documents that are objects, and all of these are strings."
        raise APIError(400, message, param="rank_fields", code="invalid_value")
    return [_text_of(document, rank_fields, f"documents[{index}]") for index, document in enumerate(documents)]


def returned(document: Document, text: str) -> dict[str, Any]:
    """A document as it stands in an answer: its own fields, and always ``text``."""
    if isinstance(document, str):
        return {"text": text}
    own = document.get("text")
    return {**document, "text": text if own is None else _spelt(own)}


def _text_of(document: Document, rank_fields: Sequence[str] | None, path: str) -> str:
    if isinstance(document, str):
        return require_text(document, path)
    if rank_fields is None:
        return require_text(_field(document, "text", path), f"{path}.text")
    named = [name for name in rank_fields if document.get(name) is not None]
    if not named:
        fields = ", ".join(map(repr, rank_fields))
        raise APIError(400, f"'{path}' has none of the rank_fields {fields}.", param=path, code="invalid_value")
    return require_text(_joined(document, named, path), path)


def _joined(document: Mapping[str, Any], names: Sequence[str], path: str) -> str:
    """One field's value alone, several as ``name: value`` lines (https://docs.cohere.com/v1/docs/rerank-overview)."""
    if len(names) == 1:
        return _field(document, names[0], path)
    return "\n".join(f"{name}: {_field(document, name, path)}" for name in names)


def _field(document: Mapping[str, Any], name: str, path: str) -> str:
    where = f"{path}.{name}"
    value = document.get(name)
    if value is None:
        message = f"'{where}' is required, unless 'rank_fields' names what to rank by."
        raise APIError(400, message, param=where, code="missing_field")
    if not isinstance(value, str | int | float):
        raise APIError(400, f"'{where}' must be a text or a number to rank by.", param=where, code="invalid_value")
    return _spelt(value)


def _spelt(value: Any) -> str:
    """A value as JSON spells it, a text without its quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
