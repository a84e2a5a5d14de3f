"""The answers to rerank requests, in the dialect of the request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

from ovms_rerank.http.body import RerankBody
from ovms_rerank.http.dialects import COHERE, JINA, TEI, VOYAGE, recognise
from ovms_rerank.http.documents import returned
from ovms_rerank.http.ranking import Ranked, document_texts, documents_of, rank
from ovms_rerank.messages import Scored

DOCUMENTS_PER_UNIT = 100
"""A search unit is a query with up to as many documents or chunks, https://cohere.com/pricing."""


class RerankUsage(TypedDict):
    """The tokens that were read."""

    prompt_tokens: int
    total_tokens: int


class RerankResult(TypedDict):
    """A document's place among the others, the best first; as Voyage writes it, `document` is its text."""

    index: int
    relevance_score: float
    document: NotRequired[dict[str, Any] | str]


class RerankAnswer(TypedDict):
    """The answer of ``/rerank`` to Cohere's clients; Jina's get `object` as well, Voyage's `data` too."""

    id: str
    results: list[RerankResult]
    model: str
    meta: dict[str, Any]
    usage: RerankUsage
    object: NotRequired[Literal["list"]]
    data: NotRequired[list[RerankResult]]


class RankedText(TypedDict):
    """A document's place, as text-embeddings-inference writes it."""

    index: int
    score: float
    text: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A scored request and all that its answer is made of."""

    id: str
    model: str
    api_version: str
    body: RerankBody
    scored: Scored

    def ranking(self) -> list[Ranked]:
        return rank(self.scored.log_odds, self.body)


def document(answer: Answer) -> Any:
    """The answer as anything that `msgspec.json` encodes."""
    return _FORMATS[recognise(answer.body)](answer)


def _cohere(answer: Answer) -> dict[str, Any]:
    tokens = answer.scored.prompt_tokens
    units = -(-answer.scored.chunks // DOCUMENTS_PER_UNIT)
    return {
        "id": answer.id,
        "results": list(_results(answer, answer.ranking())),
        "model": answer.model,
        "meta": {"api_version": {"version": answer.api_version}, "billed_units": {"search_units": units}},
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _results(answer: Answer, ranking: Sequence[Ranked]) -> Iterator[dict[str, Any]]:
    wanted = answer.body.return_documents
    if wanted is None:
        wanted = recognise(answer.body).returns_documents
    documents, texts = documents_of(answer.body), document_texts(answer.body)
    for index, score in ranking:
        with_document = {"document": returned(documents[index], texts[index])} if wanted else {}
        yield {"index": index, "relevance_score": score, **with_document}


def _jina(answer: Answer) -> dict[str, Any]:
    return {**_cohere(answer), "object": "list"}


def _voyage(answer: Answer) -> dict[str, Any]:
    """Cohere's members too, since much that speaks to Voyage reads only those."""
    common = _cohere(answer)
    return {**common, "object": "list", "data": [_as_text(result) for result in common["results"]]}


def _as_text(result: dict[str, Any]) -> dict[str, Any]:
    return {**result, "document": result["document"]["text"]} if "document" in result else result


def _tei(answer: Answer) -> list[dict[str, Any]]:
    texts = document_texts(answer.body)
    return [
        {"index": index, "score": score, **({"text": texts[index]} if answer.body.return_text else {})}
        for index, score in answer.ranking()
    ]


_FORMATS: dict[Any, Callable[[Answer], Any]] = {COHERE: _cohere, JINA: _jina, VOYAGE: _voyage, TEI: _tei}
