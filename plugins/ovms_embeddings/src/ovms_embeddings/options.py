"""The options of an embedding model."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from ovms_openvino.options import EncoderOptions

Pooling = Literal["cls", "mean", "last", "max", "mean_sqrt_len_tokens", "weightedmean"]


TokenIds = Literal["model", "cl100k_base", "o200k_base", "refuse"]
_VOCABULARY_FILES = (".tiktoken", ".tiktoken.gz")


def _token_inputs(value: str) -> str:
    if value in get_args(TokenIds) or value.endswith(_VOCABULARY_FILES):
        return value
    raise ValueError(f"must be {', '.join(get_args(TokenIds))}, or the path of a file *.tiktoken")


class EmbeddingsOptions(EncoderOptions):
    """How texts become vectors; what is not set is read from the model's own files."""

    pooling: Pooling | None = Field(
        default=None,
        description="How token vectors become one: cls, mean, last, max, mean_sqrt_len_tokens or weightedmean; "
        "by default the model's own.",
    )
    normalize: bool | None = Field(
        default=None, description="Whether vectors have length 1; by default the model's own."
    )
    token_inputs: Annotated[str, AfterValidator(_token_inputs)] = Field(
        default="model",
        description="The vocabulary of token ids in requests: model (its own), cl100k_base or o200k_base (OpenAI's), a "
        "vocabulary file (*.tiktoken). Other ids than its own are turned into text. refuse accepts no ids.",
    )
    max_text_characters: int = Field(
        default=1_000_000,
        ge=1,
        description="The maximum number of characters of a text, which is tokenised before it is cut.",
    )
