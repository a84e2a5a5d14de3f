"""From a rerank body to the engine's request, and from log-odds to a ranking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from ovms_core.plugin import APIError
from ovms_rerank.http.body import RerankBody
from ovms_rerank.http.dialects import TEI, recognise
from ovms_rerank.http.documents import Document, require_query, require_some, texts_of
from ovms_rerank.messages import Fit, Score, Scored

T = TypeVar("T")


class Ranked(NamedTuple):
    """A document by its place in the request, and its score."""

    place: int
    score: float


def score_request(body: RerankBody) -> Score:
    """What the engine is asked. Raises `APIError` 400 with the path of the field at fault."""
    recognise(body)
    _most(body)
    return Score(
        queries=[require_query(body.query, "query")],
        documents=require_some(document_texts(body), documents_name(body)),
        instruction=body.instruction,
        fit=_fit(body),
        max_chunks=body.max_chunks_per_doc,
        max_tokens=body.max_tokens_per_doc,
        document_path=f"{documents_name(body)}[{{}}]",
    )


def documents_name(body: RerankBody) -> str:
    """The field that has the documents."""
    return "documents" if body.texts is None else "texts"


def documents_of(body: RerankBody) -> Sequence[Document]:
    """The documents as the client sent them. Raises `APIError` 400 when there are none."""
    if body.texts is not None:
        return body.texts
    if body.documents is None:
        name = "texts" if recognise(body) is TEI else "documents"
        raise APIError(400, f"Field '{name}' is required.", param=name, code="missing_field")
    return body.documents


def document_texts(body: RerankBody) -> list[str]:
    """What is ranked of each document."""
    return texts_of(documents_of(body), body.rank_fields)


def rank(log_odds: Sequence[float], body: RerankBody) -> list[Ranked]:
    """The best documents first, as many as the request wants; equal ones stay in the request's order."""
    best = sorted(range(len(log_odds)), key=lambda index: -log_odds[index])
    score = float if body.raw_scores else sigmoid
    return [Ranked(place, score(log_odds[place])) for place in best[: _most(body)]]


def require_numbers(scored: Scored) -> Scored:
    """`scored`; raises `APIError` 500 when the model gave something that is no number."""
    for index, log_odds in enumerate(scored.log_odds):
        if not math.isfinite(log_odds):
            message = f"The model gave {log_odds} for document {index}: its weights or its precision are at fault."
            raise APIError(500, message, code="model_gave_nan")
    return scored


def sigmoid(log_odds: float) -> float:
    """The probability with these log-odds, without overflow at either end."""
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1 + odds)


def _most(body: RerankBody) -> int | None:
    """How many results are wanted; `None` for all, which a client may also write as 0 or -1."""
    most = _one_of("top_n", body.top_n, "top_k", body.top_k)
    return None if most is None or most <= 0 else most


def _fit(body: RerankBody) -> Fit | None:
    truncate = _one_of("truncate", body.truncate, "truncation", body.truncation)
    if truncate is None:
        return None
    if not truncate:
        return "refuse"
    return "keep_end" if (body.truncation_direction or "").lower() == "left" else "keep_start"


def _one_of(name: str, value: T | None, other_name: str, other: T | None) -> T | None:
    if value is not None and other is not None:
        message = f"'{name}' and '{other_name}' say the same: send one of them."
        raise APIError(400, message, param=other_name, code="invalid_value")
    return other if value is None else value
