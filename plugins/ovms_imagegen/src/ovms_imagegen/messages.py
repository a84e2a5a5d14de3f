"""What the endpoints and the engine of image generation say to each other.

Public, to other plugins too: an endpoint with ``task = "image_generation"`` submits `Draw`. `__all__` is the promise:
these names keep working.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import msgspec

from ovms_core.plugin import Event, Request

__all__ = [
    "AnyEvent",
    "Draw",
    "Drawn",
    "OutputFormat",
    "Preview",
    "Size",
    "Stepped",
    "Upload",
]

OutputFormat = Literal["png", "jpeg", "webp"]
Size = tuple[int, int]
"""Width and height in pixels."""


class Upload(msgspec.Struct):
    """A picture that a client sent: the file's bytes, and the request's field that they came in."""

    data: bytes
    field: str


class Draw(Request, tag="draw", kw_only=True):
    """Draw `n` pictures of a prompt, the first with `seed`, each further one with the next seed.

    With `image` the picture is drawn over it; with `mask` too, only where the mask says. `model` is the
    name that the client asked for: it may be a LoRA adapter's. `None` means the model's default.
    `first` is the number of pictures that were given before the request was interrupted, and `previewed` that of
    the previews of the next one. `report_steps` asks for `Stepped` events.
    """

    model: str
    seed: int
    prompt: str
    prompt_2: str | None = None
    prompt_3: str | None = None
    negative_prompt: str | None = None
    n: int = 1
    first: int = 0
    previewed: int = 0
    size: Size | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    strength: float | None = None
    max_sequence_length: int | None = None
    lora_alphas: dict[str, float] = msgspec.field(default_factory=dict)
    image: Upload | None = None
    mask: Upload | None = None
    output_format: OutputFormat = "png"
    output_compression: int = 100
    partial_images: int = 0
    embed_prompt: bool = True
    keep: bool = False
    report_steps: bool = True

    def resumed(self, events: Sequence[Any]) -> Self:
        first = self.first + sum(isinstance(event, Drawn) for event in events)
        seen = [event.number + 1 for event in events if isinstance(event, Preview) and event.index == first]
        before = self.previewed if first == self.first else 0
        return msgspec.structs.replace(self, first=first, previewed=max([before, *seen]))


class Stepped(Event, tag="stepped", array_like=True):
    """Denoising step `step` of `total` of picture `index` is done."""

    index: int
    step: int
    total: int


class Preview(Event, tag="preview", array_like=True):
    """What picture `index` looks like after `step` of `total` steps; `number` counts its previews from 0."""

    index: int
    number: int
    step: int
    total: int
    size: Size
    data: bytes


class Drawn(Event, tag="drawn", array_like=True):
    """Picture `index` is complete: the file, or the name under which it is kept.

    `prompt_tokens` is the length of the prompt as the model's tokenizer counts it.
    """

    no_text: ClassVar[tuple[str, ...]] = ("kept_as",)

    index: int
    seed: int
    size: Size
    steps: int
    prompt_tokens: int
    data: bytes | None = None
    kept_as: str | None = None


AnyEvent = Stepped | Preview | Drawn
