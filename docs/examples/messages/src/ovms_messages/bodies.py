"""Requests, as Anthropic's clients send them (https://docs.claude.com/en/api/messages)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ovms_core.plugin import Body, Int, Part, fault
from ovms_llm.messages import Chat, Sampling


class TextBlock(Part):
    """A block of content."""

    type: Literal["text"]
    text: str

    @model_validator(mode="before")
    @classmethod
    def _text_only(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("type", "text") != "text":
            raise fault("This server reads blocks of type 'text' only.", field="type", code="unsupported_parameter")
        return value


Content = str | Annotated[list[TextBlock], Field(min_length=1)]


class Turn(Part):
    """What one side says."""

    role: Literal["user", "assistant"]
    content: Content


class ConversationBody(Body):
    """What is counted, or continued."""

    ignored: ClassVar[frozenset[str]] = frozenset({"metadata", "service_tier"})
    refused: ClassVar[Mapping[str, str]] = {"tools": "describe what you need in a message"}

    messages: Annotated[list[Turn], Field(min_length=1)]
    system: Content | None = None

    def chat(self) -> Chat:
        """The conversation for the model's chat template. If it ends with the assistant, that turn is continued."""
        messages = [{"role": "system", "content": _text(self.system)}] if self.system else []
        for role, turns in groupby(self.messages, key=lambda turn: turn.role):
            messages.append({"role": role, "content": "\n\n".join(_text(turn.content) for turn in turns)})
        continues = self.messages[-1].role == "assistant"
        return Chat(messages, add_generation_prompt=not continues, continue_final_message=continues)

    def texts(self) -> Iterator[str]:
        """Every text that reaches the prompt."""
        return (message["content"] for message in self.chat().messages)


class MessagesBody(ConversationBody):
    """The body of ``/messages``."""

    max_tokens: Annotated[Int, Field(ge=1, le=2**31 - 1)]
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[Int, Field(ge=0, le=2**31 - 1)] | None = None
    stop_sequences: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    stream: bool = False

    def sampling(self) -> Sampling:
        """How the engine is to choose tokens and when to stop."""
        return Sampling(
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            stop=self.stop_sequences,
        )


def _text(content: Content) -> str:
    return content if isinstance(content, str) else "\n".join(block.text for block in content)
