from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
from tests.plugins.ovms_llm.http.conftest import Server

from ovms_core.calls.endpoint import Call
from ovms_core.errors import APIError
from ovms_llm.http.chat import ChatBody, ChatCompletions
from ovms_llm.http.completions import CompletionBody, Completions
from ovms_llm.http.merge import merge
from ovms_llm.http.tokenization import TokenizeBody, TokenizeTexts
from ovms_llm.messages import Delta, Started


def call_of(server: Server, endpoint: Any, body: Any) -> Call[Any]:
    return Call(endpoint, body, server.model)


@pytest.mark.parametrize("prompts", ["a", ["a", "b", "c"]])
async def test_leaving_closes_every_prompt(server: Server, prompts: str | list[str]) -> None:
    server.runner.gate = asyncio.Event()
    body = CompletionBody.model_validate({"prompt": prompts})
    events = Completions().execute(call_of(server, Completions(), body))
    count = 1 if isinstance(prompts, str) else len(prompts)
    assert isinstance(events, AsyncGenerator)
    async with aclosing(events):
        started = 0
        while started < count:
            started += isinstance(await anext(events), Started)
        assert server.runner.open == count
    assert server.runner.open == 0


async def test_a_prompt_that_fails_ends_the_others(server: Server) -> None:
    server.runner.gate = asyncio.Event()
    error = APIError(400, "too long", param="prompt", code="context_length_exceeded")
    server.runner.script = lambda request: [error] if request.prompt.text == "b" else [Started(1)]
    response = await server.complete(prompt=["a", "b", "c"])
    said = response.json()["error"]
    assert (said["code"], said["param"]) == ("context_length_exceeded", "prompt[1]")
    assert error.param == "prompt"  # it may end the requests of others too
    assert server.runner.open == 0


async def test_prompts_run_side_by_side(server: Server) -> None:
    everyone = asyncio.Barrier(3)

    class Meeting:
        async def submit(self, request: Any) -> AsyncGenerator[Any, None]:
            await everyone.wait()
            yield Started(1)

    streams = [Meeting().submit(None) for _ in range(3)]
    assert [event async for event in merge(streams)] == [Started(1)] * 3


async def test_a_slow_reader_holds_the_streams_back() -> None:
    given: list[int] = []

    async def counting() -> AsyncGenerator[int, None]:
        for number in range(1000):
            given.append(number)
            yield number

    async with aclosing(merge([counting()])) as events:
        await anext(events)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(given) < 5


class Stream:
    """Gives one event and waits; then it raises `error`. Counts how often it was closed."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.closed = 0
        self.gate = asyncio.Event()
        self._error = error

    async def events(self) -> AsyncGenerator[str, None]:
        try:
            yield "event"
            await self.gate.wait()
            if self._error is not None:
                raise self._error
        finally:
            await asyncio.sleep(0)
            self.closed += 1


async def read(streams: list[AsyncGenerator[str, None]]) -> list[str]:
    async with asyncio.timeout(5):
        return [event async for event in merge(streams)]


@pytest.mark.parametrize("error", [APIError(400, "no"), asyncio.CancelledError("lost")])
async def test_whatever_ends_one_stream_ends_the_call_and_closes_the_others(error: BaseException) -> None:
    failing, others = Stream(error), [Stream(), Stream()]
    failing.gate.set()
    with pytest.raises(type(error)):
        await read([stream.events() for stream in (*others, failing)])
    assert [stream.closed for stream in (*others, failing)] == [1, 1, 1]


async def test_an_error_of_closing_does_not_hide_the_first() -> None:
    async def stubborn() -> AsyncGenerator[str, None]:
        try:
            await asyncio.Event().wait()
            yield ""
        finally:
            raise RuntimeError("cannot be closed")

    failing, other = Stream(APIError(400, "first")), Stream()
    failing.gate.set()
    with pytest.raises(APIError, match="first"):
        await read([stubborn(), failing.events(), other.events()])
    assert other.closed == 1


async def test_a_call_that_is_cancelled_twice_still_closes_its_streams() -> None:
    streams = [Stream(), Stream()]
    reading = asyncio.create_task(read([stream.events() for stream in streams]))
    for _ in range(2):
        for _ in range(5):
            await asyncio.sleep(0)
        reading.cancel()
    await asyncio.wait({reading})
    assert reading.cancelled()
    assert [stream.closed for stream in streams] == [1, 1]


async def test_execution_does_not_depend_on_whether_the_client_streams(server: Server) -> None:
    fields = {"messages": [{"role": "user", "content": "Hi"}]}
    endpoint, seen = ChatCompletions(), []
    for stream in (False, True):
        body = ChatBody.model_validate({**fields, "stream": stream})
        seen.append([event async for event in endpoint.execute(call_of(server, endpoint, body))])
    assert seen[0] == seen[1]
    assert server.runner.requests[0] == server.runner.requests[1]


async def test_the_events_of_many_prompts_count_their_choices_on(server: Server) -> None:
    body = CompletionBody.model_validate({"prompt": ["a", "b"], "n": 2})
    events = [event async for event in Completions().execute(call_of(server, Completions(), body))]
    assert {event.index for event in events if isinstance(event, Delta)} == {0, 1, 2, 3}


def test_a_guardrail_reads_every_text_of_a_conversation() -> None:
    call = {"id": "ID", "function": {"name": "NAME", "arguments": "ARGUMENTS"}}
    messages = [
        {"role": "developer", "content": "DEVELOPER"},
        {"role": "user", "content": [{"type": "text", "text": "PART"}], "name": "USER"},
        {"role": "assistant", "tool_calls": [call], "reasoning_content": "THOUGHT", "refusal": "REFUSAL"},
        {"role": "tool", "content": "RESULT", "tool_call_id": "ANSWERED"},
    ]
    body = ChatBody.model_validate({"messages": messages, "chat_template_kwargs": {"FLAG": {"OF": ["KWARG"]}}})
    texts = set(Call(ChatCompletions(), body, None).texts())
    assert texts == {
        *("DEVELOPER", "PART", "USER", "NAME", "ARGUMENTS", "THOUGHT", "REFUSAL", "RESULT", "FLAG", "OF", "KWARG"),
        *("ID", "ANSWERED"),
    }


def test_a_guardrail_reads_what_the_answer_must_look_like() -> None:
    schema = {"type": "object", "properties": {"KEY": {"enum": ["VALUE"]}}}
    format = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    chat = ChatBody.model_validate({"messages": [{"role": "user", "content": "a"}], "response_format": format})
    assert {"KEY", "VALUE"} <= set(Call(ChatCompletions(), chat, None).texts())
    completion = CompletionBody.model_validate({"prompt": "a", "guided_choice": ["ONE", "TWO"]})
    assert {"ONE", "TWO"} <= set(Call(Completions(), completion, None).texts())


def test_a_guardrail_reads_prompts_and_suffixes() -> None:
    body = CompletionBody.model_validate({"prompt": ["a", "b"], "suffix": "c"})
    assert list(Call(Completions(), body, None).texts()) == ["a", "b", "c"]
    ids = CompletionBody.model_validate({"prompt": [1, 2]})
    assert list(Call(Completions(), ids, None).texts()) == []
    tokenize = TokenizeBody.model_validate({"text": ["a", "b"]})
    assert list(Call(TokenizeTexts(), tokenize, None).texts()) == ["a", "b"]
