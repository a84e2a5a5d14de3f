"""What the endpoint and the engine of embeddings say to each other.

Public, to other plugins too: an endpoint with ``task = "embeddings"`` submits `Embed`. `__all__` is the promise: these
names keep working.
"""

from __future__ import annotations

from typing import Literal

from msgspec import field

from ovms_core.plugin import Event, Request

__all__ = [
    "Embed",
    "Embedded",
    "Side",
]

Side = Literal["left", "right"]


class Embed(Request, tag="embed", kw_only=True):
    """Turn each input, a text or its token ids, into a vector.

    `dimensions` cuts the vectors. With `truncate` an input that is too long is cut at `truncation_side`, without it is
    an error; what is not said is as the model's options say. `prompt_name` is one of the model's own prompts,
    `input_type` what the text is for. `normalize` overrides the model's own choice. `path` says where an input stands
    in the client's request, for errors; ``{}`` in it is the index.
    """

    inputs: list[str | list[int]]
    dimensions: int | None = None
    truncate: bool | None = None
    truncation_side: Side | None = None
    prompt_name: str | None = None
    input_type: str | None = None
    normalize: bool | None = None
    path: str = "input[{}]"


class Embedded(Event, tag="embedded", array_like=True):
    """The vectors in the order of the inputs, each as little-endian float32, and the tokens that were read.

    `warnings` are sentences for the client.
    """

    vectors: list[bytes]
    prompt_tokens: int
    warnings: list[str] = field(default_factory=list)
