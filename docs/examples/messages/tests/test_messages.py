"""The official client talks to the real server; only the engine behind the model is scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import pytest
from anthropic import AsyncAnthropic

from ovms_core.plugin import APIError
from ovms_core.testing import FakeEngine, app_with, connected, read_frames, serving
from ovms_llm.messages import AnyRequest, Chat, Delta, Generate, Started, Tokenize, Tokenized
from ovms_messages import hooks

QUESTION: Any = [{"role": "user", "content": "Hi"}]


def hello(request: AnyRequest) -> Iterable[Any]:
    """An engine that says "Hello wörld" until a stop string of the request, and counts a token a turn."""
    if isinstance(request, Tokenize):
        assert isinstance(request.prompt, Chat)
        yield Tokenized([1] * len(request.prompt.messages), max_model_len=2048)
        return
    assert isinstance(request, Generate)
    stop = next(iter(request.sampling.stop), None)
    yield Started(5)
    yield Delta(0, "Hello", [1])
    yield Delta(0, "", [2])
    if request.sampling.max_tokens == 3:
        yield Delta(0, " w", [3], finish_reason="length")
    else:
        yield Delta(0, " wörld", [3, 4], finish_reason="stop", stop_reason=stop)


def failing(request: AnyRequest) -> Iterable[Any]:
    yield Started(5)
    yield Delta(0, "Hel", [1])
    yield APIError(503, "The engine of model 'text_generation' died twice.", code="engine_died")


@asynccontextmanager
async def client_of(
    answer: Any = hello, key: str = "none", **settings: Any
) -> AsyncIterator[tuple[AsyncAnthropic, FakeEngine]]:
    engine = FakeEngine("text_generation", answer)
    async with (
        serving(app_with(hooks, models=[engine], **settings)) as url,
        AsyncAnthropic(base_url=url, api_key=key, max_retries=0) as client,
    ):
        yield client, engine


async def ask(client: AsyncAnthropic, **fields: Any) -> Any:
    return await client.messages.create(**{"model": "text_generation", "max_tokens": 9, "messages": QUESTION, **fields})


async def test_a_message_is_answered() -> None:
    async with client_of() as (client, _):
        message = await ask(client)
    assert [block.text for block in message.content] == ["Hello wörld"]
    assert (message.role, message.model) == ("assistant", "text_generation")
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    assert (message.usage.input_tokens, message.usage.output_tokens) == (5, 4)
    assert message.id.startswith("msg_")


async def test_a_stream_says_the_same_as_the_whole_answer() -> None:
    async with client_of() as (client, _):
        whole = await ask(client)
        async with client.messages.stream(model="text_generation", max_tokens=9, messages=QUESTION) as stream:
            pieces = [text async for text in stream.text_stream]
            streamed = await stream.get_final_message()
    assert pieces == ["Hello", " wörld"]
    assert streamed.model_dump(exclude={"id"}) == whole.model_dump(exclude={"id"}) | {
        "content": [{**whole.content[0].model_dump(), **streamed.content[0].model_dump()}]
    }


async def test_the_events_of_a_stream_are_those_of_anthropic() -> None:
    engine = FakeEngine("text_generation", hello)
    async with connected(app_with(hooks, models=[engine])) as client:
        response = await client.post("/v1/messages", json={"max_tokens": 9, "messages": QUESTION, "stream": True})
    frames = read_frames(response.text)
    assert [frame.event for frame in frames] == [
        *("message_start", "content_block_start", "ping", "content_block_delta", "content_block_delta"),
        *("content_block_stop", "message_delta", "message_stop"),
    ]
    assert all(frame.document()["type"] == frame.event for frame in frames)
    start, delta = frames[0].document()["message"], frames[-2].document()
    assert (start["content"], start["stop_reason"], start["usage"]["input_tokens"]) == ([], None, 5)
    assert delta["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert delta["usage"] == {"output_tokens": 4}


async def test_a_stream_without_any_event_is_still_a_message() -> None:
    engine = FakeEngine("text_generation", [])
    async with connected(app_with(hooks, models=[engine])) as client:
        response = await client.post("/v1/messages", json={"max_tokens": 9, "messages": QUESTION, "stream": True})
    assert [frame.event for frame in read_frames(response.text)][::5] == ["message_start", "message_stop"]


@pytest.mark.parametrize(
    ("fields", "reason", "sequence"),
    [({"max_tokens": 3}, "max_tokens", None), ({"stop_sequences": ["!", "x"]}, "stop_sequence", "!")],
)
async def test_it_says_why_it_stopped(fields: dict[str, Any], reason: str, sequence: str | None) -> None:
    async with client_of() as (client, _):
        message = await ask(client, **fields)
    assert (message.stop_reason, message.stop_sequence) == (reason, sequence)


async def test_the_engine_is_asked_for_what_the_client_wants() -> None:
    async with client_of() as (client, engine):
        await ask(
            client,
            system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            messages=[
                {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                {"role": "user", "content": "c"},
            ],
            stop_sequences=["END"],
            metadata={"user_id": "me"},
            extra_body={"temperature": 0.5, "top_p": 0.9, "top_k": 7},  # newer clients have no arguments for them
        )
    (request,) = engine.requests
    assert request.prompt.messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "a\nb\n\nc"},
    ]
    sampling = request.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.stop) == (0.5, 0.9, 7, ["END"])
    assert sampling.max_tokens == 9


async def test_an_assistants_last_turn_is_continued() -> None:
    async with client_of() as (client, engine):
        await ask(client, messages=[*QUESTION, {"role": "assistant", "content": "Hello,"}])
    assert engine.requests[0].prompt.continue_final_message
    assert not engine.requests[0].prompt.add_generation_prompt


async def test_tokens_are_counted() -> None:
    async with client_of() as (client, _):
        count = await client.messages.count_tokens(model="text_generation", system="Be brief.", messages=QUESTION)
    assert count.input_tokens == 2


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"model": "nobody"}, anthropic.NotFoundError, "nobody"),
        ({"extra_body": {"temperature": 3}}, anthropic.BadRequestError, "temperature"),
        ({"max_tokens": 0}, anthropic.BadRequestError, "max_tokens"),
        ({"messages": []}, anthropic.BadRequestError, "messages"),
        ({"tools": [{"name": "f", "input_schema": {}}]}, anthropic.BadRequestError, "tools"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "x"}}]}]},
            anthropic.BadRequestError,
            "blocks of type 'text' only",
        ),
    ],
)
async def test_the_client_raises_the_exception_that_fits(
    fields: dict[str, Any], error: type[anthropic.APIStatusError], message: str
) -> None:
    async with client_of() as (client, _):
        with pytest.raises(error, match=message):
            await ask(client, **fields)


async def test_max_tokens_is_required() -> None:
    async with connected(app_with(hooks, models=[FakeEngine("text_generation", hello)])) as client:
        response = await client.post("/v1/messages", json={"messages": QUESTION})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "max_tokens"


async def test_the_clients_key_is_asked_for() -> None:
    async with client_of(api_keys={"me": "right"}, key="right") as (client, _):
        assert (await ask(client)).content
        with pytest.raises(anthropic.AuthenticationError):
            await ask(client.with_options(api_key="wrong"))


async def test_an_engine_that_dies_in_mid_stream_is_an_error_to_the_client() -> None:
    async with client_of(failing) as (client, _):
        with pytest.raises(anthropic.APIStatusError, match="died twice"):
            async with client.messages.stream(model="text_generation", max_tokens=9, messages=QUESTION) as stream:
                assert [text async for text in stream.text_stream] == ["Hel"]
