"""``POST /chat/completions`` (https://platform.openai.com/docs/api-reference/chat/create)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final

from msgspec import UnsetType, structs
from pydantic import Field, model_validator

from ovms_core.plugin import Int, fault
from ovms_llm.http.answers import (
    ChatChoice,
    ChatCompletion,
    ChatLogprobs,
    ChatMessage,
    ChatTokenLogprob,
    Head,
    TimingsReport,
    Usage,
)
from ovms_llm.http.chunks import ChunkShape
from ovms_llm.http.conversation import Conversation, Rendering
from ovms_llm.http.generation import GenerationEndpoint
from ovms_llm.http.reasoning import ReasoningFields
from ovms_llm.http.sampling import NO_LIMIT, REFUSED, GenerationBody, Limit, unsupported
from ovms_llm.http.tools import ToolFields
from ovms_llm.http.usage import ChoiceBuilder
from ovms_llm.messages import Chat, TokenLogprob


class ChatBody(ToolFields, ReasoningFields, Rendering, GenerationBody):
    """The body of ``/chat/completions``."""

    refused: ClassVar[Mapping[str, str]] = {**REFUSED, "audio": "answers are text"}

    messages: Conversation
    max_completion_tokens: Limit | None = None
    logprobs: bool = False
    top_logprobs: Annotated[
        Annotated[Int, Field(ge=0, le=20)] | None,
        unsupported("top_logprobs", " over 0: the engine knows the chosen token's probability only", 0, None),
    ] = None
    modalities: Annotated[Any, unsupported("modalities", " other than ['text']", ["text"], None)] = None

    @model_validator(mode="after")
    def _limits_agree(self) -> ChatBody:
        both = self.max_tokens, self.max_completion_tokens
        if None not in both and both[0] != both[1]:
            message = f"'max_tokens' ({both[0]}) and 'max_completion_tokens' ({both[1]}) disagree: send one of them."
            raise fault(message, field="max_completion_tokens")
        if self.top_logprobs and not self.logprobs:
            raise fault("'top_logprobs' needs 'logprobs': true.", field="top_logprobs")
        return self

    @model_validator(mode="after")
    def _can_be_rendered(self) -> ChatBody:
        self.check(self.messages)
        return self

    @property
    def token_limit(self) -> int | None:
        limit = self.max_completion_tokens or self.max_tokens
        return None if limit == NO_LIMIT else limit

    def without_effect(self) -> Iterator[str]:
        yield from super().without_effect()
        if self.top_logprobs == 0 and not self.logprobs:
            yield "top_logprobs"

    def path(self, param: str | None, prompt: int) -> str | None:
        return "max_completion_tokens" if param == "max_tokens" and self.max_completion_tokens else param

    @property
    def wants_logprobs(self) -> bool:
        return self.logprobs

    def prompts(self) -> Sequence[Chat]:
        return [self.chat(self.messages)]

    @property
    def choice_count(self) -> int:
        return self.n

    def texts(self) -> Iterator[str]:
        yield from self.conversation_texts(self.messages)
        yield from self.tool_texts()


def _logprobs(tokens: Sequence[TokenLogprob], offset: int) -> ChatLogprobs:
    return ChatLogprobs([ChatTokenLogprob(each.token, each.logprob, each.bytes) for each in tokens])


_SHAPE: Final = ChunkShape(
    opening=b'"delta":{"role":"assistant","content":""}',
    before=b'"delta":{"content":',
    after=b"}",
    closing=b'"delta":{}',
    logprobs=_logprobs,
)


class ChatCompletions(GenerationEndpoint[ChatBody]):
    """Continue a conversation."""

    path = "/chat/completions"
    body = ChatBody
    id_prefix = "chatcmpl"
    object = "chat.completion"
    chunk_object = "chat.completion.chunk"

    def shape(self, body: ChatBody) -> ChunkShape:
        return _SHAPE

    def choice(self, choice: ChoiceBuilder, body: ChatBody) -> ChatChoice:
        logprobs = _logprobs(choice.logprobs, 0) if body.logprobs else None
        return ChatChoice(choice.index, ChatMessage(choice.text), logprobs, choice.finish_reason, choice.stop_reason)

    def document(
        self, head: Head, choices: list[ChatChoice], usage: Usage, timings: TimingsReport | UnsetType
    ) -> ChatCompletion:
        return ChatCompletion(**structs.asdict(head), choices=choices, usage=usage, timings=timings)
