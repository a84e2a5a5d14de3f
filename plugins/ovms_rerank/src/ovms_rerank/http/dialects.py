"""The dialects of rerank requests: who speaks which fields, and what they default to."""

from __future__ import annotations

from dataclasses import dataclass

from ovms_core.plugin import APIError
from ovms_rerank.http.body import RerankBody

COMMON = frozenset(
    {"model", "query", "top_n", "instruction", "raw_scores", "truncate", "max_chunks_per_doc", "max_tokens_per_doc"}
)
"""Fields that mean the same in every dialect, whoever introduced them."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One provider's way to ask: `signs` are the fields that only it has, `also` those that it shares with some."""

    name: str
    signs: frozenset[str]
    also: frozenset[str] = frozenset({"documents", "return_documents"})
    returns_documents: bool = False
    model_prefix: str | None = None

    def speaks(self, body: RerankBody) -> bool:
        """Whether a request bears a sign of this dialect."""
        prefix = self.model_prefix
        return bool(self.signs & body.model_fields_set) or (
            prefix is not None and body.model is not None and body.model.startswith(prefix)
        )

    def refuse_others(self, body: RerankBody) -> None:
        """Raise `APIError` 400 for the first field that means nothing in this dialect."""
        strange = sorted(body.model_fields_set - self.signs - self.also - COMMON)
        if strange:
            because = " and ".join(repr(sign) for sign in sorted(self.signs & body.model_fields_set))
            reason = f", which this is because of {because}" if because else ""
            message = f"Field '{strange[0]}' means nothing in a request in the manner of {self.name}{reason}."
            raise APIError(400, message, param=strange[0], code="unknown_field")


TEI = Dialect(
    "Text Embeddings Inference",
    signs=frozenset({"texts", "return_text", "truncation_direction"}),
    also=frozenset(),
)
"""https://huggingface.github.io/text-embeddings-inference/"""

VOYAGE = Dialect("Voyage", signs=frozenset({"top_k", "truncation"}))
"""https://docs.voyageai.com/reference/reranker-api"""

COHERE = Dialect("Cohere", signs=frozenset({"rank_fields", "priority", "relevant_spans"}))
"""https://docs.cohere.com/reference/rerank; v1 and v2 differ in fields that do not contradict each other."""

JINA = Dialect("Jina", signs=frozenset({"return_embeddings"}), returns_documents=True, model_prefix="jina-")
"""https://api.jina.ai/redoc. But for one, its fields are Cohere's too; its models' names tell it."""

_BY_SIGN = (TEI, VOYAGE, COHERE, JINA)


def recognise(body: RerankBody) -> Dialect:
    """The dialect of a request, by its own field names; Cohere's when nothing tells.

    Raises `APIError` 400 for a field that means nothing in it.
    """
    dialect = next((dialect for dialect in _BY_SIGN if dialect.speaks(body)), COHERE)
    dialect.refuse_others(body)
    return dialect
