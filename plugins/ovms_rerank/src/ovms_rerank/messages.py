"""What the endpoints and the engine of reranking say to each other.

Public, to other plugins too: an endpoint with ``task = "rerank"`` submits `Score`. `__all__` is the promise: these
names keep working.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

from ovms_core.plugin import Event, Request

__all__ = [
    "Fit",
    "Score",
    "Scored",
]

Fit = Literal["chunk", "keep_start", "keep_end", "refuse"]
"""What happens to a document that does not fit beside its query."""


class Score(Request, tag="score", kw_only=True):
    """Score pairs of a query and a document: one query for all documents, or as many as there are.

    `fit` is by default what the model's options say. `max_chunks` and `max_tokens` bound what is read of each
    document; `max_pair_tokens` bounds a pair, below the model's own limit. A document without text is not read and gets
    the lowest score. `query_path` and `document_path` say where the texts stand in the client's
    request, for errors; ``{}`` in them is the index.
    """

    queries: list[str]
    documents: list[str]
    instruction: str | None = None
    fit: Fit | None = None
    max_chunks: int | None = None
    max_tokens: int | None = None
    max_pair_tokens: int | None = None
    query_path: str = "query"
    document_path: str = "documents[{}]"

    def resumed(self, events: Sequence[Any]) -> Self:
        return self


class Scored(Event, tag="scored", array_like=True):
    """The log-odds that each document is relevant, in the order of the request.

    `chunks` counts the pairs that were scored, `prompt_tokens` all their tokens.
    """

    log_odds: list[float]
    chunks: int
    prompt_tokens: int
