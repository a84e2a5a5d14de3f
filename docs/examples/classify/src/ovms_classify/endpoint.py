"""``POST /classify``, as vLLM has it (https://docs.vllm.ai/en/latest/serving/openai_compatible_server/)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from ovms_classify.messages import Classified, Classify
from ovms_core.plugin import Body, Call, Endpoint

Text = Annotated[str, Field(min_length=1)]


class ClassifyBody(Body):
    """The body: a text, or several."""

    ignored: ClassVar[frozenset[str]] = frozenset({"user"})

    input: Text | Annotated[list[Text], Field(min_length=1)]
    truncate: bool = False

    @property
    def items(self) -> list[str]:
        """The texts."""
        return [self.input] if isinstance(self.input, str) else self.input


class Classifications(Endpoint[ClassifyBody]):
    """Which label fits each text, and how probable every label is."""

    path = "/classify"
    bare = True
    body = ClassifyBody
    task = "text_classification"

    def execute(self, call: Call[ClassifyBody]) -> AsyncIterator[Classified]:
        return call.require_model().submit(Classify(call.body.items, call.body.truncate))

    def texts(self, call: Call[ClassifyBody]) -> Iterator[str]:
        yield from call.body.items

    def to_json(self, call: Call[ClassifyBody], events: Sequence[Classified]) -> Any:
        (event,) = events
        return {
            "id": f"classify-{call.id}",
            "object": "list",
            "created": call.created,
            "model": call.body.model or call.require_model().name,
            "data": [_item(event.labels, index, row) for index, row in enumerate(event.probabilities)],
            "usage": {"prompt_tokens": event.prompt_tokens, "total_tokens": event.prompt_tokens},
        }


def _item(labels: Sequence[str], index: int, probabilities: list[float]) -> dict[str, Any]:
    best = max(range(len(labels)), key=probabilities.__getitem__)
    return {"index": index, "label": labels[best], "probs": probabilities, "num_classes": len(labels)}
