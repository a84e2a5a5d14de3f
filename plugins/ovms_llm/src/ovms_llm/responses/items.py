"""The items of a request's input (https://platform.openai.com/docs/api-reference/responses/create#responses-create-input).

Clients send back what they got, so the items of answers are items of input, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from ovms_core.plugin import Json, Part, fault

MAX_ITEMS: Final = 10_000
MAX_REFERENCES: Final = 256
_MEDIA: Final = frozenset({"input_image", "input_file", "input_audio", "computer_screenshot"})

NewId = Callable[[str], str]
"""Makes an id with a prefix."""


class TextPart(Part):
    """A part of a content: text, or an assistant's refusal."""

    type: Literal["input_text", "output_text", "text", "refusal", "summary_text", "reasoning_text"]
    text: str | None = None
    refusal: str | None = None
    annotations: Json = None
    logprobs: Json = None

    @model_validator(mode="before")
    @classmethod
    def _text_only(cls, value: Any) -> Any:
        kind = value.get("type") if isinstance(value, dict) else None
        if isinstance(kind, str) and kind in _MEDIA:
            message = f"Content of type '{kind}' is not supported: send text parts only."
            raise fault(message, field="type", code="unsupported_parameter")
        return value

    @model_validator(mode="after")
    def _has_what_it_says(self) -> TextPart:
        field = "refusal" if self.type == "refusal" else "text"
        if getattr(self, field) is None:
            raise fault(f"A part of type '{self.type}' needs the field '{field}'.", field=field)
        return self

    def __str__(self) -> str:
        return (self.refusal if self.type == "refusal" else self.text) or ""


Content = str | Annotated[list[TextPart], Field(min_length=1)]
ItemId = Annotated[str, Field(min_length=1, max_length=128)]
Status = Literal["in_progress", "completed", "incomplete"]


class MessageInput(Part):
    """A message: of the user, the developer, or the assistant in an earlier turn."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: Content
    id: ItemId | None = None
    status: Status | None = None
    phase: str | None = None

    def resource(self, new_id: NewId) -> dict[str, Any]:
        """The item as the API shows it."""
        said = [self.content] if isinstance(self.content, str) else list(map(str, self.content))
        kind = {"type": "output_text", "annotations": []} if self.role == "assistant" else {"type": "input_text"}
        return {
            "id": self.id or new_id("msg"),
            "type": "message",
            "status": "completed",
            "role": self.role,
            "content": [{**kind, "text": text} for text in said],
        }


class FunctionCallInput(Part):
    """A function that the model called in an earlier turn; `arguments` is JSON text, as the model wrote it."""

    type: Literal["function_call"]
    call_id: ItemId
    name: str
    arguments: str
    id: ItemId | None = None
    status: Status | None = None

    def resource(self, new_id: NewId) -> dict[str, Any]:
        """The item as the API shows it."""
        return {
            "id": self.id or new_id("fc"),
            "type": "function_call",
            "status": "completed",
            "call_id": self.call_id,
            "name": self.name,
            "arguments": self.arguments,
        }


class FunctionOutputInput(Part):
    """What a function that the model called gave."""

    type: Literal["function_call_output"]
    call_id: ItemId
    output: str | list[TextPart]
    id: ItemId | None = None
    status: Status | None = None

    def resource(self, new_id: NewId) -> dict[str, Any]:
        """The item as the API shows it."""
        output: Any = self.output
        if isinstance(output, list):
            output = [{"type": "input_text", "text": str(part)} for part in output]
        return {
            "id": self.id or new_id("fco"),
            "type": "function_call_output",
            "status": "completed",
            "call_id": self.call_id,
            "output": output,
        }


class ReasoningInput(Part):
    """What the model thought in an earlier turn. A thought that another server encrypted cannot be read."""

    type: Literal["reasoning"]
    summary: list[TextPart] = Field(default_factory=list)
    content: list[TextPart] | None = None
    encrypted_content: str | None = None
    id: ItemId | None = None
    status: Status | None = None

    def resource(self, new_id: NewId) -> dict[str, Any]:
        """The item as the API shows it."""
        return {
            "id": self.id or new_id("rs"),
            "type": "reasoning",
            "status": "completed",
            "summary": [{"type": "summary_text", "text": str(part)} for part in self.summary],
            "content": [{"type": "reasoning_text", "text": str(part)} for part in self.content or ()],
        }


class ItemReference(Part):
    """An item that the server has stored."""

    type: Literal["item_reference"] = "item_reference"
    id: ItemId


_KINDS: Final = frozenset({"message", "function_call", "function_call_output", "reasoning", "item_reference"})


def _kind_of(value: Any) -> str:
    """Which kind of item it is; a message and a reference may leave that out."""
    given = value.get("type") if isinstance(value, dict) else value.type
    if given is None:
        return "item_reference" if isinstance(value, dict) and value.keys() == {"id"} else "message"
    return str(given)


def _known_kind(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    kind = value.get("type")
    if isinstance(kind, str) and kind not in _KINDS:
        advice = "this server runs no tools. Send messages, function calls and their outputs, and reasoning"
        message = f"Items of type '{kind:.60}' are not supported: {advice}."
        raise fault(message, field="type", code="unsupported_parameter")
    if kind is not None and not isinstance(kind, str):
        raise fault("The type of an item is a string, such as 'message'.", field="type")
    return value


Item = Annotated[
    Annotated[MessageInput, Tag("message")]
    | Annotated[FunctionCallInput, Tag("function_call")]
    | Annotated[FunctionOutputInput, Tag("function_call_output")]
    | Annotated[ReasoningInput, Tag("reasoning")]
    | Annotated[ItemReference, Tag("item_reference")],
    Discriminator(_kind_of),
    BeforeValidator(_known_kind),
]
Input = str | Annotated[list[Item], Field(max_length=MAX_ITEMS)]


def text_of(content: Any) -> str:
    """The text of a stored item's content: a string, or parts, each on a line of its own."""
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content or ())
