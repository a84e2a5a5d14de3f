"""Chunks of another server's stream as the events of a chat."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

import msgspec

from ovms_core.plugin import APIError
from ovms_llm.messages import Delta, TokenLogprob, ToolCallDelta, Used
from ovms_relay.errors import broken_off, failed_there


class Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class Tool(msgspec.Struct):
    function: Function
    index: int = 0
    id: str | None = None


class Text(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[Tool] | None = None
    function_call: Function | None = None


class Token(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None


class Logprobs(msgspec.Struct):
    content: list[Token] | None = None


class Choice(msgspec.Struct):
    delta: Text
    index: int = 0
    logprobs: Logprobs | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None


class Details(msgspec.Struct):
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


class Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Details | None = None


class Chunk(msgspec.Struct):
    """A chunk (https://platform.openai.com/docs/api-reference/chat-streaming), or an error in its place."""

    choices: list[Choice] = []
    usage: Usage | None = None
    error: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(Chunk).decode


async def events_in(stream: AsyncIterator[bytes]) -> AsyncGenerator[Any, None]:
    """The events of a stream. Raises `APIError` for an error in it, and for one that breaks off."""
    rest = b""
    async for data in stream:
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if line.strip() == b"data: [DONE]":
                return
            if line.startswith(b"data:"):
                for event in _events(_chunk(line[5:])):
                    yield event
    raise broken_off()


def _chunk(data: bytes) -> Chunk:
    try:
        chunk = _decode(data)
    except msgspec.DecodeError as error:
        raise APIError(502, f"The other server sent no chunk of a chat: {error}", code="relay_failed") from None
    if chunk.error is not None:
        raise failed_there(chunk.error)
    return chunk


def _events(chunk: Chunk) -> Iterator[Any]:
    for choice in chunk.choices:
        yield from _said(choice)
    if chunk.usage is not None and not chunk.choices:
        yield _used(chunk.usage)


def _said(choice: Choice) -> Iterator[Any]:
    delta = choice.delta
    if thought := delta.reasoning_content or delta.reasoning:
        yield Delta(choice.index, thought, [], channel="reasoning")
    tokens = choice.logprobs.content if choice.logprobs else None
    logprobs = [TokenLogprob(each.token, each.logprob, each.bytes or []) for each in tokens] if tokens else None
    if delta.content or logprobs:
        yield Delta(choice.index, delta.content or "", [], logprobs)
    older = [Tool(delta.function_call)] if delta.function_call else []
    for tool in delta.tool_calls or older:
        function = tool.function
        yield ToolCallDelta(choice.index, tool.index, tool.id, function.name, function.arguments or "")
    if choice.finish_reason is not None:
        reason: Any = "tool_calls" if choice.finish_reason == "function_call" else choice.finish_reason
        yield Delta(choice.index, "", [], finish_reason=reason, stop_reason=choice.stop_reason)


def _used(usage: Usage) -> Used:
    prompt, answer = usage.prompt_tokens_details or Details(), usage.completion_tokens_details or Details()
    return Used(usage.prompt_tokens, usage.completion_tokens, answer.reasoning_tokens or 0, prompt.cached_tokens)
