"""The objects of the Responses API (https://platform.openai.com/docs/api-reference/responses/object).

Fields are there always, ``null`` where they are empty, as the official clients' types want them.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

ItemStatus = Literal["in_progress", "completed", "incomplete"]
Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]


class TopLogprob(Struct):
    """Another token that could have stood there. The engine knows none."""

    token: str
    bytes: list[int]
    logprob: float


class Logprob(Struct):
    """A token of the text, with its natural logarithm of probability."""

    token: str
    bytes: list[int]
    logprob: float
    top_logprobs: list[TopLogprob] = []


class OutputText(Struct, tag_field="type", tag="output_text"):
    """Text for the reader."""

    text: str = ""
    annotations: list[dict[str, Any]] = []
    logprobs: list[Logprob] = []


class ReasoningText(Struct, tag_field="type", tag="reasoning_text"):
    """Text of a thought."""

    text: str = ""


class MessageItem(Struct, tag_field="type", tag="message"):
    """What the assistant says."""

    id: str
    status: ItemStatus = "in_progress"
    content: list[OutputText] = []
    role: Literal["assistant"] = "assistant"


class ReasoningItem(Struct, tag_field="type", tag="reasoning"):
    """What the model thinks before it answers; nobody makes a summary of it."""

    id: str
    status: ItemStatus = "in_progress"
    content: list[ReasoningText] = []
    summary: list[dict[str, Any]] = []


class FunctionCallItem(Struct, tag_field="type", tag="function_call"):
    """A function that the model calls; `arguments` is JSON text."""

    id: str
    call_id: str
    name: str
    arguments: str = ""
    status: ItemStatus = "in_progress"


OutputItem = MessageItem | ReasoningItem | FunctionCallItem


class InputTokensDetails(Struct):
    """How many tokens of the input were in the KV cache already. Writing to it costs nothing."""

    cached_tokens: int
    cache_write_tokens: int = 0


class OutputTokensDetails(Struct):
    """How many tokens of the output were thoughts."""

    reasoning_tokens: int


class ResponseUsage(Struct):
    """What a response cost, in tokens."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class ResponseError(Struct):
    """Why a response failed; `code` is one of those that the official clients know."""

    code: Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
    message: str


class IncompleteDetails(Struct):
    """Why a response is incomplete."""

    reason: Literal["max_output_tokens"] = "max_output_tokens"


class Reasoning(Struct):
    """How much the model was to think."""

    effort: str | None = None
    summary: None = None


class TextConfig(Struct):
    """What the text was to look like."""

    format: dict[str, Any]


class Response(Struct, kw_only=True):
    """A response: what was asked for, and what came of it so far."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Status = "in_progress"
    background: bool = False
    completed_at: int | None = None
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    model: str
    output: list[OutputItem] = field(default_factory=list)
    parallel_tool_calls: bool = True
    previous_response_id: str | None = None
    prompt_cache_key: str | None = None
    reasoning: Reasoning
    safety_identifier: str | None = None
    service_tier: str = "default"
    store: bool = True
    temperature: float | None = None
    text: TextConfig
    tool_choice: str | dict[str, Any] = "auto"
    tools: list[dict[str, Any]]
    top_logprobs: int = 0
    top_p: float | None = None
    truncation: Literal["auto", "disabled"] = "disabled"
    usage: ResponseUsage | None = None
    user: str | None = None
    metadata: dict[str, str]


class DeletedResponse(Struct):
    """The answer to a deletion."""

    id: str
    object: Literal["response"] = "response"
    deleted: Literal[True] = True


class InputItemList(Struct):
    """The input items of a response, or some of them."""

    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool
    object: Literal["list"] = "list"
