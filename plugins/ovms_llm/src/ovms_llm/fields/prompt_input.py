"""What text completions take as `prompt`: text or token ids, one or several."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Discriminator, Field, Tag

MAX_PROMPTS: Final = 128


def _integrals(value: Any) -> Any:
    """Integral floats as integers, for the whole list at once: prompts have many tokens."""
    if isinstance(value, list) and any(type(item) is float for item in value):
        return [int(item) if type(item) is float and item.is_integer() else item for item in value]
    return value


TokenIds = Annotated[list[Annotated[int, Field(ge=0, le=2**31 - 1)]], BeforeValidator(_integrals), Field(min_length=1)]
"""The token ids of one text; whether the vocabulary has them is for the engine to say."""

Many = Field(min_length=1, max_length=MAX_PROMPTS)


def _kind(value: Any) -> str | None:
    if isinstance(value, str):
        return "text"
    if not isinstance(value, list):
        return None
    first = value[0] if value else ""
    if isinstance(first, list):
        return "many token ids"
    return "many texts" if isinstance(first, str) else "token ids"


PromptInput = Annotated[
    Annotated[str, Tag("text")]
    | Annotated[Annotated[list[str], Many], Tag("many texts")]
    | Annotated[TokenIds, Tag("token ids")]
    | Annotated[Annotated[list[TokenIds], Many], Tag("many token ids")],
    Discriminator(
        _kind,
        custom_error_type="prompt_type",
        custom_error_message="must be a string, an array of token ids, or an array of either",
    ),
]
