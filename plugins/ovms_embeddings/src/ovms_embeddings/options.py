"""The options of an embedding model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ovms_core.openvino.options import EncoderOptions

Pooling = Literal["cls", "mean", "last", "max"]


class EmbeddingsOptions(EncoderOptions):
    """How texts become vectors; what is not set is read from the model's own files."""

    pooling: Pooling | None = Field(
        default=None, description="How token vectors become one: cls, mean, last or max; by default the model's own."
    )
    normalize: bool | None = Field(
        default=None, description="Whether vectors have length 1; by default the model's own."
    )
    max_text_characters: int = Field(
        default=1_000_000, ge=1, description="Characters that a text may have; it is tokenised whole before it is cut."
    )
