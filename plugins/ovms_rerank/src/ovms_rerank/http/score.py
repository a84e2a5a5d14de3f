"""`POST /score`: how well texts fit together, as vLLM has it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Any, Literal, TypedDict

from ovms_core.plugin import APIError, Call, Endpoint
from ovms_rerank.http.answers import RerankUsage
from ovms_rerank.http.body import ScoreBody
from ovms_rerank.http.documents import require_query, require_some, warnings_of
from ovms_rerank.http.ranking import require_numbers, sigmoid
from ovms_rerank.messages import Score, Scored


class TextScore(TypedDict):
    """How well two texts fit."""

    index: int
    object: Literal["score"]
    score: float


class ScoreAnswer(TypedDict):
    """The answer of ``/score``."""

    id: str
    object: Literal["list"]
    created: int
    model: str
    data: list[TextScore]
    usage: RerankUsage


class Scores(Endpoint[ScoreBody]):
    """One text against many, or pairs (https://docs.vllm.ai/en/latest/models/pooling_models/scoring/)."""

    path = "/score"
    bare = True
    body = ScoreBody
    response = ScoreAnswer
    task = "rerank"

    async def execute(self, call: Call[ScoreBody]) -> AsyncIterator[Scored]:
        request = await call.off_loop(score_request, call.body)
        call.warnings += await call.off_loop(warnings_of, request.documents, "text_2")
        async with aclosing(call.require_model().submit(request)) as events:
            async for event in events:
                yield require_numbers(event)

    def texts(self, call: Call[ScoreBody]) -> Iterator[str]:
        for text in (call.body.text_1, call.body.text_2):
            yield from [text] if isinstance(text, str) else text
        if call.body.instruction is not None:
            yield call.body.instruction

    def to_json(self, call: Call[ScoreBody], events: Sequence[Scored]) -> Any:
        scored = events[-1]
        activation = sigmoid if call.body.use_activation else float
        scores = enumerate(map(activation, scored.log_odds))
        return {
            "id": f"score-{call.id}",
            "object": "list",
            "created": call.created,
            "model": call.body.model or call.require_model().name,
            "data": [{"index": index, "object": "score", "score": score} for index, score in scores],
            "usage": {"prompt_tokens": scored.prompt_tokens, "total_tokens": scored.prompt_tokens},
        }


def score_request(body: ScoreBody) -> Score:
    """What the engine is asked. Raises `APIError` 400 with the path of the field at fault."""
    query_path, document_path = _path(body.text_1, "text_1"), _path(body.text_2, "text_2")
    queries = [require_query(text, query_path.format(index)) for index, text in enumerate(_texts(body.text_1))]
    documents = require_some(_texts(body.text_2), "text_2")
    if len(queries) not in (1, len(documents)):
        message = (
            f"'text_1' has {len(queries)} texts and 'text_2' has {len(documents)}: "
            "send one text in 'text_1', or as many as in 'text_2'."
        )
        raise APIError(400, message, param="text_1", code="invalid_value")
    cut = body.truncate_prompt_tokens
    return Score(
        queries=queries,
        documents=documents,
        instruction=body.instruction,
        fit=None if cut is None else "keep_start",
        max_pair_tokens=cut if cut is not None and cut > 0 else None,
        query_path=query_path,
        document_path=document_path,
    )


def _texts(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _path(value: str | list[str], name: str) -> str:
    return name if isinstance(value, str) else f"{name}[{{}}]"
