"""The body of an embeddings request."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AliasChoices, BeforeValidator, Discriminator, Field, Tag

from ovms_core.plugin import Body, Int


def _integral(ids: Any) -> Any:
    """As `Int` does, for a whole list: looked at once, because there may be a million."""
    if not isinstance(ids, list) or not any(type(id) is float for id in ids):
        return ids
    return [int(id) if type(id) is float and id.is_integer() else id for id in ids]


TokenIds = Annotated[list[Annotated[int, Field(ge=0, le=2**31 - 1)]], BeforeValidator(_integral)]


def _kind(value: Any) -> str:
    """Which of its forms `input` has, by its first element: then an error names the element at fault."""
    if not isinstance(value, list):
        return "str"
    first = value[0] if value else ""
    if isinstance(first, list):
        return "list[list[int]]"
    return "list[int]" if isinstance(first, int | float) else "list[str]"


Input = Annotated[
    Annotated[str, Tag("str")]
    | Annotated[list[str], Tag("list[str]")]
    | Annotated[TokenIds, Tag("list[int]")]
    | Annotated[list[TokenIds], Tag("list[list[int]]")],
    Discriminator(_kind),
]


class EmbeddingsBody(Body):
    """OpenAI's fields (https://platform.openai.com/docs/api-reference/embeddings), and those that open models need.

    `input` is a text, texts, token ids or lists of token ids.
    """

    ignored: ClassVar[frozenset[str]] = frozenset(
        {
            "metadata",
            "prediction",
            "prompt_cache_key",
            "safety_identifier",
            "service_tier",
            "store",
            "user",
            "verbosity",
            "web_search_options",
        }
    )

    input: Input
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[Int, Field(ge=1, le=2**31 - 1)] | None = None
    truncate: bool | None = None
    truncation_side: Literal["left", "right"] | None = None
    prompt_name: str | None = None
    input_type: str | None = None
    normalize: Annotated[bool | None, Field(validation_alias=AliasChoices("normalize", "normalized"))] = None

    def inputs(self) -> list[str | list[int]]:
        """`input` in its most general form: what to turn into one vector each."""
        if isinstance(self.input, str):
            return [self.input]
        if _kind(self.input) == "list[int]":
            return [self.input]  # type: ignore[list-item]
        return list(self.input)  # type: ignore[arg-type]

    def path(self) -> str:
        """Where one of `inputs` stands in the body; ``{}`` in it is its index."""
        return "input[{}]" if _kind(self.input) in ("list[str]", "list[list[int]]") else "input"
