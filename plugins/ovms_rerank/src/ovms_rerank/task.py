"""The task of reranking: its options, and how its models are told from others."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ovms_core.plugin import ModelFiles, Task
from ovms_openvino.options import EncoderOptions
from ovms_rerank.messages import Score, Scored

CERTAIN = 80
BY_NAME = 110
"""A causal reranker's files are those of a chat model, which text generation is sure of."""

Head = Literal["logit", "softmax", "yes_no"]


class RerankOptions(EncoderOptions):
    """The `options:` of a reranker."""

    head: Literal["auto"] | Head = Field(
        "auto",
        description="How outputs become a score: logit (one), softmax (two) or yes_no (a causal model's next token).",
    )
    chunk_overlap: int = Field(0, ge=0, description="Tokens that neighbouring chunks of a long document share.")
    max_document_characters: int = Field(
        1_000_000,
        ge=1,
        description="The maximum number of characters of a document, which is tokenised before it is cut.",
    )
    instruction: str | None = Field(
        None, description="The instruction for a causal reranker, unless the request has one; by default Qwen3's."
    )


def detect(files: ModelFiles) -> int:
    """How sure it is that a model is a reranker, as its ``config.json`` tells."""
    if is_yes_no(files):
        return BY_NAME
    return CERTAIN if is_cross_encoder(files) else 0


def is_cross_encoder(files: ModelFiles) -> bool:
    """Whether the model is a sequence classifier with one or two labels."""
    config = files.json("config.json")
    return _is_for(config, "ForSequenceClassification") and labels(config) in (1, 2)


def is_yes_no(files: ModelFiles) -> bool:
    """Whether the model is a causal reranker such as Qwen3-Reranker: by the files of sentence-transformers, or else
    by its name."""
    config = files.json("config.json")
    names = f"{config.get('_name_or_path', '')} {files.path.name}".lower()
    return _is_for(config, "ForCausalLM") and (answers_file(files) is not None or "rerank" in names)


def answers_file(files: ModelFiles) -> str | None:
    """Where sentence-transformers keeps the ids of the tokens that a causal reranker answers with (``LogitScore``)."""
    return next((name for name in sorted(files.names) if name.endswith("_LogitScore/config.json")), None)


def labels(config: dict[str, Any]) -> int:
    """How many labels a classifier has; transformers writes none down when there are two."""
    named = config.get("id2label")
    return len(named) if isinstance(named, dict) else int(config.get("num_labels", 2))


def _is_for(config: dict[str, Any], suffix: str) -> bool:
    architectures = config.get("architectures")
    return isinstance(architectures, list) and any(str(name).endswith(suffix) for name in architectures)


RERANK = Task(
    name="rerank",
    engine="ovms_rerank.engine.reranking:Reranker",
    options=RerankOptions,
    request=Score,
    event=Scored,
    detect=detect,
)
