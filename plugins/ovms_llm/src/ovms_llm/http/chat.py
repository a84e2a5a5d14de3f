"""``POST /chat/completions`` (https://platform.openai.com/docs/api-reference/chat/create)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Annotated, Any, ClassVar, Final

from msgspec import UnsetType, json, structs
from pydantic import Field, model_validator

from ovms_core.plugin import Int, fault
from ovms_llm.fields.conversation import Conversation, Rendering
from ovms_llm.fields.reasoning import ReasoningFields
from ovms_llm.fields.sampling import NO_LIMIT, REFUSED, GenerationBody, Limit, unsupported
from ovms_llm.fields.tools import ToolFields
from ovms_llm.http.answers import (
    ChatChoice,
    ChatCompletion,
    ChatLogprobs,
    ChatMessage,
    ChatTokenLogprob,
    FunctionCall,
    Head,
    TimingsReport,
    ToolCall,
    Usage,
)
from ovms_llm.http.chunks import ChunkShape
from ovms_llm.http.generation import ChoicesEndpoint
from ovms_llm.http.usage import ChoiceBuilder
from ovms_llm.messages import Chat, TokenLogprob, ToolCallDelta

_encode: Final = json.Encoder().encode


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
        yield from self.output_texts()


def _logprobs(tokens: Sequence[TokenLogprob], offset: int) -> ChatLogprobs:
    return ChatLogprobs([ChatTokenLogprob(each.token, each.logprob, each.bytes) for each in tokens])


def _tool_call(delta: ToolCallDelta) -> Iterator[bytes]:
    """First the call's id and name, then pieces of its arguments."""
    if delta.name is not None:
        opened = {"id": delta.id, "type": "function", "function": {"name": delta.name, "arguments": ""}}
        yield b'"delta":{"tool_calls":[%b]}' % _encode({"index": delta.call, **opened})
    if delta.arguments:
        piece = _encode(delta.arguments)
        yield b'"delta":{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}' % (delta.call, piece)


def _function_call(delta: ToolCallDelta) -> Iterator[bytes]:
    """The same for clients of the older fields."""
    if delta.name is not None:
        yield b'"delta":{"function_call":%b}' % _encode({"name": delta.name, "arguments": ""})
    if delta.arguments:
        yield b'"delta":{"function_call":{"arguments":%b}}' % _encode(delta.arguments)


_SHAPE: Final = ChunkShape(
    opening=b'"delta":{"role":"assistant","content":""}',
    before=b'"delta":{"content":',
    after=b"}",
    closing=b'"delta":{}',
    logprobs=_logprobs,
    thought=(b'"delta":{"reasoning_content":', b',"reasoning":'),
    call=_tool_call,
)
_OLDER: Final = {"tool_calls": "function_call"}


@cache
def _shape(*, includes_thoughts: bool, says_function_call: bool) -> ChunkShape:
    shape = _SHAPE if includes_thoughts else replace(_SHAPE, thought=())
    return replace(shape, call=_function_call, finish_reasons=_OLDER) if says_function_call else shape


def _message(choice: ChoiceBuilder, body: ChatBody) -> ChatMessage:
    thought, calls = choice.thought, choice.calls.values()
    message = ChatMessage(choice.text or (None if thought or calls else ""))
    if thought and body.reasoning_wish.include:
        message.reasoning_content = message.reasoning = thought
    if calls and body.says_function_call:
        message.function_call = next(FunctionCall(call.name, call.arguments) for call in calls)
    elif calls:
        message.tool_calls = [ToolCall(call.id, FunctionCall(call.name, call.arguments)) for call in calls]
    return message


class ChatCompletions(ChoicesEndpoint[ChatBody]):
    """Continue a conversation."""

    path = "/chat/completions"
    body = ChatBody
    response = ChatCompletion
    id_prefix = "chatcmpl"
    object = "chat.completion"
    chunk_object = "chat.completion.chunk"

    def shape(self, body: ChatBody) -> ChunkShape:
        return _shape(includes_thoughts=body.reasoning_wish.include, says_function_call=body.says_function_call)

    def choice(self, choice: ChoiceBuilder, body: ChatBody) -> ChatChoice:
        logprobs = _logprobs(choice.logprobs, 0) if body.logprobs else None
        reason: Any = choice.finish_reason
        if body.says_function_call:
            reason = _OLDER.get(reason, reason)
        return ChatChoice(choice.index, _message(choice, body), logprobs, reason, choice.stop_reason)

    def document(
        self, head: Head, choices: list[ChatChoice], usage: Usage, timings: TimingsReport | UnsetType
    ) -> ChatCompletion:
        return ChatCompletion(**structs.asdict(head), choices=choices, usage=usage, timings=timings)
