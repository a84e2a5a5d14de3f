"""``POST /embeddings``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any, Literal, TypedDict

import msgspec
from starlette.responses import Response

from ovms_core.plugin import APIError, Call, Endpoint
from ovms_embeddings.http.body import EmbeddingsBody
from ovms_embeddings.http.vectors import as_base64, as_floats
from ovms_embeddings.messages import Embed, Embedded

log = logging.getLogger("ovms.embeddings")

_VECTORS_AT_ONCE = 64
"""Vectors written before other requests get their turn: 64 of 1024 floats take about 5 ms."""


class Embedding(TypedDict):
    """A vector: numbers, or with ``"encoding_format": "base64"`` its bytes."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingsUsage(TypedDict):
    """The tokens that were read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(TypedDict):
    """The answer of ``/embeddings``."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingsUsage


class Embeddings(Endpoint[EmbeddingsBody]):
    """Texts to vectors, as OpenAI's clients ask for them."""

    path = "/embeddings"
    body = EmbeddingsBody
    response = EmbeddingsAnswer
    task = "embeddings"

    def __init__(self) -> None:
        self._warned: set[str] = set()

    async def execute(self, call: Call[EmbeddingsBody]) -> AsyncIterator[Embedded]:
        inputs = call.body.inputs()
        await call.off_loop(_require_content, inputs, call.body)
        request = Embed(
            inputs=inputs,
            dimensions=call.body.dimensions,
            truncate=call.body.truncate,
            truncation_side=call.body.truncation_side,
            prompt_name=call.body.prompt_name,
            input_type=call.body.input_type,
            normalize=call.body.normalize,
            path=call.body.path(),
        )
        async with aclosing(call.require_model().submit(request)) as events:
            async for event in events:
                self._warn(call, event.warnings)
                yield event

    def _warn(self, call: Call[EmbeddingsBody], warnings: list[str]) -> None:
        """Tell the client, and the operator at a model's first."""
        call.warnings += warnings
        name = call.require_model().name
        if warnings and name not in self._warned:
            self._warned.add(name)
            log.warning("A request to model '%s': %s", name, " ".join(warnings))

    def texts(self, call: Call[EmbeddingsBody]) -> Iterator[str]:
        """The texts; token ids are no text that a guardrail could read."""
        yield from (text for text in call.body.inputs() if isinstance(text, str))

    async def unary(self, call: Call[EmbeddingsBody], events: AsyncIterator[Embedded]) -> Response:
        """OpenAI's list of embeddings."""
        embedded = [event async for event in events][-1]
        write = as_base64 if call.body.encoding_format == "base64" else as_floats
        data: list[dict[str, Any]] = []
        for index, vector in enumerate(embedded.vectors):
            if index % _VECTORS_AT_ONCE == _VECTORS_AT_ONCE - 1:
                await asyncio.sleep(0)
            data.append({"object": "embedding", "index": index, "embedding": write(vector)})
        document = {
            "object": "list",
            "data": data,
            "model": call.body.model or call.require_model().name,
            "usage": {"prompt_tokens": embedded.prompt_tokens, "total_tokens": embedded.prompt_tokens},
        }
        return Response(msgspec.json.encode(document), media_type="application/json")


def _require_content(inputs: list[str | list[int]], body: EmbeddingsBody) -> None:
    """Raise `APIError` 400 for what holds nothing to embed, naming it."""
    if not inputs:
        raise APIError(400, "'input' is empty: give at least one text.", param="input", code="invalid_value")
    for index, content in enumerate(inputs):
        if not content:
            param = body.path().format(index)
            raise APIError(400, f"'{param}' is empty: a vector needs a text.", param=param, code="invalid_value")
