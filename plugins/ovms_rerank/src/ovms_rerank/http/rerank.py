"""`POST /rerank`: sort documents by how relevant they are to a query."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Any

from starlette.requests import Request

from ovms_core.plugin import Call, Endpoint
from ovms_rerank.http.answers import Answer, RankedText, RerankAnswer, document
from ovms_rerank.http.body import RerankBody
from ovms_rerank.http.documents import warnings_of
from ovms_rerank.http.ranking import document_texts, documents_name, require_numbers, score_request
from ovms_rerank.messages import Scored

_ONLY_V2 = frozenset({"max_tokens_per_doc", "priority", "relevant_spans"})


class Rerank(Endpoint[RerankBody]):
    """Cohere's rerank (https://docs.cohere.com/reference/rerank) and its dialects by Jina, Voyage and TEI."""

    path = "/rerank"
    also = ("/v1/rerank", "/v2/rerank")
    bare = True
    body = RerankBody
    response = RerankAnswer | list[RankedText]
    task = "rerank"

    def call(self, request: Request, body: RerankBody, ignored: Sequence[str] = ()) -> Call[RerankBody]:
        call = super().call(request, body, ignored)
        call.context["api_version"] = _api_version(request.url.path, body)
        return call

    async def execute(self, call: Call[RerankBody]) -> AsyncIterator[Scored]:
        request = await call.off_loop(score_request, call.body)
        call.warnings += await call.off_loop(warnings_of, request.documents, documents_name(call.body))
        async with aclosing(call.require_model().submit(request)) as events:
            async for event in events:
                yield require_numbers(event)

    def texts(self, call: Call[RerankBody]) -> Iterator[str]:
        yield call.body.query
        yield from document_texts(call.body)
        if call.body.instruction is not None:
            yield call.body.instruction

    def to_json(self, call: Call[RerankBody], events: Sequence[Scored]) -> Any:
        return document(
            Answer(
                id=f"rerank-{call.id}",
                model=call.body.model or call.require_model().name,
                api_version=call.context.get("api_version", "2"),
                body=call.body,
                scored=events[-1],
            )
        )


def _api_version(path: str, body: RerankBody) -> str:
    """Cohere's version. `/v1` may be the server's own prefix, so what only v2 has counts for more."""
    return "1" if path.endswith("/v1/rerank") and not _ONLY_V2 & body.model_fields_set else "2"
