"""The messages of a conversation, as clients send them and as chat templates take them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from ovms_core.plugin import Json, Part, fault
from ovms_llm.fields.strings import strings
from ovms_llm.messages import Chat

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]

_TEMPLATES_ROLES: Final = {"developer": "system", "function": "tool"}
"""Roles that chat templates call otherwise."""
_OTHER_MEDIA: Final = frozenset(
    {"image", "image_url", "input_image", "input_audio", "audio_url", "video", "video_url", "file", "input_file"}
)
_json_object: Final = TypeAdapter(dict[str, Json])


class ContentPart(Part):
    """A piece of a message's content: text, or an assistant's refusal."""

    type: Literal["text", "refusal"]
    text: str | None = None
    refusal: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _text_only(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("type"), str) and value["type"] in _OTHER_MEDIA:
            raise fault(
                f"Content of type '{value['type']}' is not supported: send text parts only.",
                field="type",
                code="unsupported_parameter",
            )
        return value

    @model_validator(mode="after")
    def _has_what_it_says(self) -> ContentPart:
        if getattr(self, self.type) is None:
            raise fault(f"A part of type '{self.type}' needs the field '{self.type}'.", field=self.type)
        return self

    def __str__(self) -> str:
        return getattr(self, self.type) or ""


class FunctionCall(Part):
    """The function that an assistant called; `arguments` is JSON text, as the model wrote it."""

    name: str
    arguments: str

    def for_template(self) -> dict[str, Any]:
        """Templates take the arguments as an object (https://huggingface.co/docs/transformers/chat_extras)."""
        return {"name": self.name, "arguments": _arguments(self.arguments)}


class ToolCall(Part):
    """A tool call of an earlier turn."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall

    def for_template(self) -> dict[str, Any]:
        """The call as templates take it."""
        return {"id": self.id, "type": self.type, "function": self.function.for_template()}


def _arguments(text: str) -> dict[str, Any] | str:
    """`text` as an object; as it is when the model wrote something else, so that the client can go on."""
    try:
        return _json_object.validate_json(text or "{}")
    except ValidationError:
        return text


_SAY_ENOUGH: Final = ("tool_calls", "function_call", "refusal", "reasoning_content", "reasoning")
"""Fields of an assistant's message of which any stands without content."""


class Message(Part):
    """One turn of a conversation."""

    role: Role
    content: str | Annotated[list[ContentPart], Field(min_length=1)] | None = None
    name: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: FunctionCall | None = None
    tool_call_id: str | None = None
    annotations: Json = None

    @model_validator(mode="after")
    def _fits_its_role(self) -> Message:
        if self.role != "assistant":
            self._refuse("an assistant's", *_SAY_ENOUGH, "annotations")
        if self.role != "tool":
            self._refuse("a tool's", "tool_call_id")
        if self.role == "tool" and self.tool_call_id is None:
            raise fault("A tool message needs 'tool_call_id', the id of the call it answers.", field="tool_call_id")
        if self.role == "function" and self.name is None:
            raise fault("A function message needs 'name', the function that it is the result of.", field="name")
        if self.content is None and not any(getattr(self, field) for field in _SAY_ENOUGH):
            raise fault("Field 'content' is required: a string or an array of parts.", field="content")
        return self

    def _refuse(self, whose: str, *fields: str) -> None:
        for field in fields:
            if getattr(self, field):
                raise fault(f"'{field}' belongs in {whose} message, not in a {self.role} message.", field=field)

    @property
    def text(self) -> str:
        """The content as one text, a line a part."""
        if isinstance(self.content, list):
            return "\n".join(str(part) for part in self.content)
        return self.content or self.refusal or ""

    @property
    def thought(self) -> str | None:
        """What the assistant thought, by either of its names."""
        return self.reasoning_content or self.reasoning

    def texts(self) -> Iterator[str]:
        """Every text of the message that can reach the prompt."""
        optional = (self.text, self.name, self.refusal, self.reasoning_content, self.reasoning, self.tool_call_id)
        yield from filter(None, optional)
        yield from (call.id for call in self.tool_calls or ())
        for call in self._called():
            yield call.name
            yield call.arguments

    def _called(self) -> Iterator[FunctionCall]:
        yield from (call.function for call in self.tool_calls or ())
        if self.function_call is not None:
            yield self.function_call

    def for_template(self) -> dict[str, Any]:
        """The message as chat templates take it: content is one string, and a call is a tool call."""
        message: dict[str, Any] = {"role": _TEMPLATES_ROLES.get(self.role, self.role), "content": self.text}
        optional = {"name": self.name, "reasoning_content": self.thought, "tool_call_id": self.tool_call_id}
        message |= {field: value for field, value in optional.items() if value is not None}
        if self.tool_calls or self.function_call:
            message["tool_calls"] = list(self._calls_for_template())
            if self.thought and not self.text:  # as gpt-oss's template calls the thought before a call
                message["thinking"] = self.thought
        return message

    def _calls_for_template(self) -> Iterator[dict[str, Any]]:
        yield from (call.for_template() for call in self.tool_calls or ())
        if self.function_call is not None:
            yield {"type": "function", "function": self.function_call.for_template()}


Conversation = Annotated[list[Message], Field(min_length=1)]


class Rendering(Part):
    """The request fields that say how a conversation becomes a prompt."""

    add_generation_prompt: bool | None = None
    continue_final_message: bool = False
    chat_template_kwargs: dict[str, Json] = Field(default_factory=dict)
    chat_template: str | None = Field(None, description="The name of one of the model's chat templates.")

    @property
    def is_conversation(self) -> bool:
        """A model answers a conversation in the way of its family."""
        return True

    def check(self, messages: Sequence[Message]) -> None:
        """Raise a fault unless the fields agree with each other and with `messages`."""
        if not self.continue_final_message:
            return
        if self.add_generation_prompt:
            message = "'continue_final_message' and 'add_generation_prompt' exclude each other: send one of them."
            raise fault(message, field="add_generation_prompt")
        if messages[-1].role != "assistant":
            message = f"'continue_final_message' needs an assistant's message as the last, not a {messages[-1].role}'s."
            raise fault(message, field="continue_final_message")

    def chat(self, messages: Sequence[Message]) -> Chat:
        """`messages` as the engine takes them."""
        default = not self.continue_final_message
        return Chat(
            messages=[message.for_template() for message in messages],
            add_generation_prompt=default if self.add_generation_prompt is None else self.add_generation_prompt,
            continue_final_message=self.continue_final_message,
            template_kwargs=self.chat_template_kwargs,
            template=self.chat_template,
        )

    def conversation_texts(self, messages: Sequence[Message]) -> Iterator[str]:
        """Every text that can reach the prompt, the template's arguments included."""
        for message in messages:
            yield from message.texts()
        yield from strings(self.chat_template_kwargs)
