"""An endpoint over the embedding models that are there already."""

from array import array
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from pydantic import Field

from ovms_core.plugin import Body, Call, Endpoint, Settings, hookimpl
from ovms_embeddings.messages import Embed, Embedded


class SimilarityBody(Body):
    text: str
    others: Annotated[list[str], Field(min_length=1, max_length=1000)]


class Similarity(Endpoint[SimilarityBody]):
    """How alike a text and others are, from -1 to 1."""

    path = "/similarity"
    body = SimilarityBody
    task = "embeddings"

    def execute(self, call: Call[SimilarityBody]) -> AsyncIterator[Embedded]:
        return call.require_model().submit(Embed(inputs=[call.body.text, *call.body.others], normalize=True))

    def to_json(self, call: Call[SimilarityBody], events: Sequence[Embedded]) -> object:
        text, *others = (array("f", vector) for vector in events[-1].vectors)
        return {"similarities": [sum(a * b for a, b in zip(text, other, strict=True)) for other in others]}


@hookimpl
def ovms_register_endpoints(settings: Settings) -> list[Similarity]:
    return [Similarity()]
