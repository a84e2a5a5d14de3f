"""The answers, as OpenAI's clients parse them (https://platform.openai.com/docs/api-reference/chat/object).

Members that may be absent are `UNSET` by default; all others are always there, ``null`` where they are empty.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from ovms_llm.messages import FinishReason


class Head(Struct):
    """What an answer and all its chunks begin with."""

    id: str
    object: str
    created: int
    model: str
    system_fingerprint: str


class PromptTokensDetails(Struct):
    """How many of the prompt's tokens were in the KV cache already."""

    cached_tokens: int


class CompletionTokensDetails(Struct):
    """How many of the answer's tokens were a thought."""

    reasoning_tokens: int


class Usage(Struct):
    """What a call cost, in tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails | UnsetType = UNSET
    completion_tokens_details: CompletionTokensDetails | UnsetType = UNSET


class TimingsReport(Struct):
    """Where the time went, in milliseconds; `server_ms` is all that was spent outside the engine."""

    queue_ms: float
    tokenize_ms: float
    prefill_ms: float
    decode_ms: float
    tokens_per_second: float
    server_ms: float


class ChatTokenLogprob(Struct):
    """A token of a chat answer. The engine knows the chosen token's probability only: no alternatives."""

    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[str] = []


class ChatLogprobs(Struct):
    """The probabilities of a chat answer's tokens."""

    content: list[ChatTokenLogprob]
    refusal: None = None


class FunctionCall(Struct):
    """The function that the assistant calls; `arguments` is JSON text."""

    name: str
    arguments: str


class ToolCall(Struct):
    """A tool call."""

    id: str
    function: FunctionCall
    type: Literal["function"] = "function"


class ChatMessage(Struct):
    """What the assistant says: `content` is ``null`` where it only thinks or calls.

    The thought stands there by both names in use. `function_call` is for clients of the older fields.
    """

    content: str | None
    role: Literal["assistant"] = "assistant"
    refusal: None = None
    tool_calls: list[ToolCall] | UnsetType = UNSET
    function_call: FunctionCall | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET


class ChatChoice(Struct):
    """One of the answers."""

    index: int
    message: ChatMessage
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason | Literal["function_call"]
    stop_reason: str | int | UnsetType = UNSET


class ChatCompletion(Head, kw_only=True):
    """The answer of ``/chat/completions``."""

    choices: list[ChatChoice]
    usage: Usage
    timings: TimingsReport | UnsetType = UNSET


class TextLogprobs(Struct):
    """The probabilities of a text answer's tokens; `text_offset` is where each begins, in characters."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]] | None
    text_offset: list[int]


class TextChoice(Struct):
    """One of the continuations."""

    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: FinishReason
    stop_reason: str | int | UnsetType = UNSET


class TextCompletion(Head, kw_only=True):
    """The answer of ``/completions``."""

    choices: list[TextChoice]
    usage: Usage
    timings: TimingsReport | UnsetType = UNSET


class TokenizeAnswer(Struct):
    """The answer of ``/tokenize``; a list of texts gets a list of lists."""

    tokens: list[int] | list[list[int]]
    count: int
    max_model_len: int
    token_strs: list[str] | list[list[str]] | None


class DetokenizeAnswer(Struct):
    """The answer of ``/detokenize``: the same text under vLLM's name and under ours."""

    prompt: str
    text: str
