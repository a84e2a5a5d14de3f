"""The bodies of rerank and score requests."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ovms_core.plugin import Body, Int, Json, Part

Count = Annotated[Int, Field(ge=1, le=2**31 - 1)]
Most = Annotated[Int, Field(ge=-1, le=2**31 - 1)]
"""How many results; 0 and -1 are ways to say all of them."""


class RelevantSpans(Part):
    """Cohere v2's search for spans, which only its own newest models do."""

    mode: Literal["disabled"]


class RerankBody(Body):
    """Every field of the five dialects; `ovms_rerank.http.dialects` says which belong together."""

    ignored: ClassVar[frozenset[str]] = frozenset({"user"})

    query: str
    documents: Annotated[list[str | dict[str, Json]], Field(min_length=1)] | None = None
    top_n: Most | None = None
    raw_scores: bool = False
    instruction: str | None = None
    max_chunks_per_doc: Count | None = None
    max_tokens_per_doc: Count | None = None
    truncate: bool | None = None
    return_documents: bool | None = None

    rank_fields: Annotated[list[str], Field(min_length=1)] | None = None
    priority: Literal[0] | None = None
    relevant_spans: RelevantSpans | None = None

    return_embeddings: Literal[False] | None = None

    top_k: Most | None = None
    truncation: bool | None = None

    texts: Annotated[list[str], Field(min_length=1)] | None = None
    return_text: bool | None = None
    truncation_direction: Literal["left", "right", "Left", "Right"] | None = None


class ScoreBody(Body):
    """A score request as vLLM has it, https://docs.vllm.ai/en/latest/serving/openai_compatible_server/."""

    ignored: ClassVar[frozenset[str]] = frozenset({"user"})

    text_1: str | Annotated[list[str], Field(min_length=1)]
    text_2: str | Annotated[list[str], Field(min_length=1)]
    use_activation: bool = True
    truncate_prompt_tokens: Annotated[Int, Field(ge=-1, le=2**31 - 1)] | None = None
    instruction: str | None = None
    priority: Literal[0] | None = None
