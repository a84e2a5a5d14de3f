"""Reranking, in the dialects of Cohere, Jina and TEI."""

from __future__ import annotations

from typing import Any, Final

from ovms_conformance.feature import Group, Target, expect, expect_fully
from ovms_core.command import RemoteServer

rerank = Group("Rerank", needs="rerank_model")

_QUERY: Final = "What is the capital of France?"
_DOCUMENTS: Final = [
    "Bread is made of flour and water.",
    "The capital of France is Paris.",
    "The river Rhine flows through Basel.",
]
_BEST: Final = 1


def _rank(target: Target, server: RemoteServer, path: str, **fields: Any) -> Any:
    body = {"model": target.rerank_model, "query": _QUERY, "documents": _DOCUMENTS, **fields}
    return server.post(path, body)


def _expect_ranking(results: Any, score: str, count: int = len(_DOCUMENTS)) -> None:
    scores = [result[score] for result in results]
    expect(len(results) == count, f"{len(results)} results instead of {count}")
    expect(scores == sorted(scores, reverse=True), "the results are not sorted by score")
    expect_fully(results[0]["index"] == _BEST, "the best document is not the first")


@rerank.feature
def cohere_v1(target: Target) -> None:
    """`POST /v1/rerank`: `results` of `index` and `relevance_score`, and `meta`."""
    document = _rank(target, target.server.root, "/v1/rerank")
    _expect_ranking(document["results"], "relevance_score")
    expect_fully("id" in document and "meta" in document, "id or meta is missing")


@rerank.feature
def cohere_v2(target: Target) -> None:
    """`POST /v2/rerank`, with `max_tokens_per_doc`."""
    document = _rank(target, target.server.root, "/v2/rerank", max_tokens_per_doc=256)
    _expect_ranking(document["results"], "relevance_score")


@rerank.feature
def under_the_prefix(target: Target) -> None:
    """`POST /rerank` under the server's own prefix."""
    _expect_ranking(_rank(target, target.server, "/rerank")["results"], "relevance_score")


@rerank.feature
def jina(target: Target) -> None:
    """Jina's dialect: `return_documents` gives the texts, `usage` the tokens."""
    document = _rank(target, target.server, "/rerank", return_documents=True, top_n=2)
    _expect_ranking(document["results"], "relevance_score", 2)
    text = document["results"][0]["document"]
    expect_fully((text["text"] if isinstance(text, dict) else text) in _DOCUMENTS, "the document is not that sent")
    expect_fully(document["usage"]["total_tokens"] > 0, "usage does not count the tokens")


@rerank.feature
def tei(target: Target) -> None:
    """The dialect of Text Embeddings Inference: `texts` in, a list of `index` and `score` out."""
    results = target.server.root.post("/rerank", {"query": _QUERY, "texts": _DOCUMENTS, "return_text": True})
    _expect_ranking(results, "score")
    expect_fully(results[0].get("text") == _DOCUMENTS[_BEST], "return_text gives no text")


@rerank.feature
def top_n(target: Target) -> None:
    """`top_n` gives only the best."""
    _expect_ranking(_rank(target, target.server, "/rerank", top_n=1)["results"], "relevance_score", 1)


@rerank.feature
def documents_as_objects(target: Target) -> None:
    """A document may be an object with `text`."""
    objects = [{"text": text} for text in _DOCUMENTS]
    _expect_ranking(_rank(target, target.server, "/rerank", documents=objects)["results"], "relevance_score")


@rerank.feature
def long_documents(target: Target) -> None:
    """A document that is longer than the model reads is ranked all the same."""
    documents = [_DOCUMENTS[0], "Filler words come first. " * 400 + _DOCUMENTS[1]]
    results = _rank(target, target.server, "/rerank", documents=documents)["results"]
    expect(len(results) == 2, f"{len(results)} results instead of 2")
    expect_fully(results[0]["index"] == _BEST, "what stands at its end does not count")


@rerank.feature
def no_documents_are_refused(target: Target) -> None:
    """Without documents the answer is a 400."""
    status = target.server.send_json("/rerank", {"model": target.rerank_model, "query": _QUERY, "documents": []}).status
    expect(status >= 400, f"{status} instead of 400")
    expect_fully(status == 400, f"{status} instead of 400")
