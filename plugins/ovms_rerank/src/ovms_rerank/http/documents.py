"""The texts of a request's documents, which may be objects."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ovms_core.plugin import APIError

Document = str | Mapping[str, Any]

_NAMED = 20
_SHOWN = 60


def require_query(text: str, path: str) -> str:
    """`text`; raises `APIError` 400 when it is empty. White space is text: the model judges by it."""
    if not text:
        raise APIError(400, f"'{path}' is empty: give it some text.", param=path, code="invalid_value")
    return text


def require_some(texts: list[str], name: str) -> list[str]:
    """`texts`; raises `APIError` 400 when all of them are blank. One that is blank gets the lowest score."""
    if not any(map(str.strip, texts)):
        message = f"There is no text in '{name}': give at least one document some text."
        raise APIError(400, message, param=name, code="invalid_value")
    return texts


def warnings_of(texts: Sequence[str], name: str) -> list[str]:
    """What the client is told of the documents that have no text, at most one sentence."""
    blank = [index for index, text in enumerate(texts) if not text.strip()]
    if not blank:
        return []
    listed = ", ".join(map(str, blank[:_NAMED]))
    more = f" and {len(blank) - _NAMED} more" if len(blank) > _NAMED else ""
    return [f"There is no text in {name} at {listed}{more}: the lowest score."]


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
        return document
    if rank_fields is None:
        return _own_text(document, f"{path}.text")
    named = [name for name in rank_fields if document.get(name) is not None]
    if not named:
        fields = ", ".join(map(repr, rank_fields))
        raise APIError(400, f"'{path}' has none of the rank_fields {fields}.", param=path, code="invalid_value")
    return _joined(document, named, path)


def _own_text(document: Mapping[str, Any], path: str) -> str:
    text = document.get("text")
    if text is None:
        message = f"'{path}' is required, unless 'rank_fields' names what to rank by."
        raise APIError(400, message, param=path, code="missing_field")
    if not isinstance(text, str):
        message = f"'{path}' must be a string, not {_spelt(text)[:_SHOWN]}."
        raise APIError(400, message, param=path, code="invalid_value")
    return text


def _joined(document: Mapping[str, Any], names: Sequence[str], path: str) -> str:
    """One field's value alone, several as ``name: value`` lines (https://docs.cohere.com/v1/docs/rerank-overview)."""
    values = {name: _field(document, name, path) for name in names}
    if len(names) == 1 or not any(map(str.strip, values.values())):
        return values[names[0]]
    return "\n".join(f"{name}: {value}" for name, value in values.items())


def _field(document: Mapping[str, Any], name: str, path: str) -> str:
    where, value = f"{path}.{name}", document[name]
    if not isinstance(value, str | int | float):
        raise APIError(400, f"'{where}' must be a text or a number to rank by.", param=where, code="invalid_value")
    return _spelt(value)


def _spelt(value: Any) -> str:
    """A value as JSON spells it, a text without its quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
