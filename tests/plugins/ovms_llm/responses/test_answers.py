"""``POST /responses``: answers and streams, as OpenAI's own client takes them."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from tests.plugins.ovms_llm.responses.conftest import WEATHER, Api, call, replayed, words

from ovms_core.plugin import APIError

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_text_is_answered_with_a_whole_response(api: Api) -> None:
    response = await api.responses.create(model="smol", input="Hi", metadata={"a": "b"}, temperature=0.5)
    assert response.output_text == "Hello wörld!"
    assert response.id.startswith("resp_")
    assert (response.status, response.model, response.metadata) == ("completed", "smol", {"a": "b"})
    assert response.temperature == 0.5
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (5, 5, 10)
    assert response.usage.input_tokens_details.cached_tokens == 3


THOUGHT_AND_CALLS = [
    *words("<think>", "Let me ", "think.", "</think>"),
    *words("I will ", "ask."),
    *call("weather", '{"city":"Rome"}'),
    *call("weather", '{"city":"Oslo"}'),
    *words("", finish="stop"),
]


async def test_thoughts_texts_and_calls_are_items_of_their_own(api: Api) -> None:
    api.says(*THOUGHT_AND_CALLS)
    response = await api.responses.create(model="smol", input="Hi", tools=[WEATHER])
    thought, message, rome, oslo = response.output
    assert thought.type == "reasoning"
    assert thought.content is not None
    assert thought.content[0].text == "Let me think."
    assert message.type == "message"
    assert response.output_text == "I will ask."
    assert rome.type == "function_call"
    assert oslo.type == "function_call"
    assert (rome.name, json.loads(rome.arguments)) == ("weather", {"city": "Rome"})
    assert json.loads(oslo.arguments) == {"city": "Oslo"}
    assert rome.call_id.startswith("call_")
    assert rome.call_id != oslo.call_id
    assert response.usage is not None
    assert response.usage.output_tokens_details.reasoning_tokens > 0
    assert response.tools[0].to_dict() == WEATHER


@pytest.mark.parametrize("events", [words("Hel", "lo", finish="stop"), THOUGHT_AND_CALLS], ids=["text", "all"])
async def test_a_stream_adds_up_to_its_last_event(api: Api, events: list[Any]) -> None:
    api.says(*events)
    told = [event async for event in await api.responses.create(input="Hi", stream=True, tools=[WEATHER])]
    kinds = [event.type for event in told]
    assert kinds[:3] == ["response.created", "response.in_progress", "response.output_item.added"]
    last = told[-1]
    assert last.type == "response.completed"
    assert last.response.status == "completed"
    assert replayed(told) == [item.to_dict() for item in last.response.output]


async def test_the_order_of_events_is_openais(api: Api) -> None:
    api.says(*words("Hel", "lo"), *call("weather", '{"city":"Rome"}'), *words("", finish="stop"))
    answer = await api.http.post("/responses", json={"input": "Hi", "stream": True, "tools": [WEATHER]})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    names = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    assert [name.removeprefix("response.") for name in names] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert "[DONE]" not in answer.text


async def test_the_clients_own_stream_helper_follows(api: Api) -> None:
    api.says(*THOUGHT_AND_CALLS)
    async with api.responses.stream(model="smol", input="Hi", tools=[WEATHER]) as stream:
        kinds = {event.type async for event in stream}
        final = await stream.get_final_response()
    assert {"response.output_text.delta", "response.function_call_arguments.delta"} <= kinds
    assert final.output_text == "I will ask."


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_ends_at_its_limit_is_incomplete(api: Api, stream: bool) -> None:
    api.says(*words("Hel", "lo", finish="length"))
    if stream:
        events = [event async for event in await api.responses.create(input="Hi", stream=True, max_output_tokens=16)]
        assert events[-1].type == "response.incomplete"
        response = events[-1].response
    else:
        response = await api.responses.create(input="Hi", max_output_tokens=16)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert [item.status for item in response.output if item.type == "message"] == ["incomplete"]
    assert api.engine.requests[0].sampling.max_tokens == 16


async def test_an_answer_without_a_word_is_an_empty_message(api: Api) -> None:
    api.says(*words("", finish="stop"))
    response = await api.responses.create(input="Hi")
    assert [item.type for item in response.output] == ["message"]
    assert response.output_text == ""


async def test_logprobs_come_when_they_are_asked_for(api: Api) -> None:
    response = await api.responses.create(model="smol", input="Hi", include=["message.output_text.logprobs"])
    (message,) = response.output
    assert message.type == "message"
    assert message.content[0].type == "output_text"
    assert [each.token for each in message.content[0].logprobs or ()] == ["Hello", " w", "", "örld", "!"]


async def test_reasoning_can_be_left_out(api: Api) -> None:
    api.says(*words("<think>", "Hm.", "</think>", "Yes.", finish="stop"))
    response = await api.responses.create(input="Hi", extra_body={"include_reasoning": False})
    assert [item.type for item in response.output] == ["message"]
    assert response.usage is not None
    assert response.usage.output_tokens_details.reasoning_tokens > 0


async def test_a_failure_in_mid_stream_is_told_by_the_last_event(api: Api) -> None:
    api.says(*words("Hel"), APIError(503, "The engine died.", code="engine_died"))
    events = [event async for event in await api.responses.create(input="Hi", stream=True)]
    assert events[-1].type == "response.failed"
    failed = events[-1].response
    assert failed.status == "failed"
    assert failed.error is not None
    assert (failed.error.code, failed.error.message) == (
        "server_error",
        "The engine died.",
    )
    assert [event.sequence_number for event in events] == list(range(len(events)))


async def test_a_failure_before_the_stream_has_its_status(api: Api) -> None:
    api.engine.script = lambda request: [APIError(429, "Too many.", code="queue_full")]
    with pytest.raises(openai.RateLimitError):
        await api.responses.create(input="Hi", stream=True)


async def test_the_context_is_cut_only_where_the_client_allows_it(api: Api) -> None:
    def reads_three_messages(request: Any) -> list[Any]:
        if len(request.prompt.messages) > 3:
            return [APIError(400, "Too long.", param="messages", code="context_length_exceeded")]
        return words("Yes.", finish="stop")

    api.engine.script = reads_three_messages
    turns: list[Any] = [{"role": role, "content": f"{role} {at}"} for at in range(4) for role in ("user", "assistant")]
    request: dict[str, Any] = {"input": [*turns, {"role": "user", "content": "last"}], "instructions": "Be kind."}
    with pytest.raises(openai.BadRequestError) as refused:
        await api.responses.create(**request)
    assert refused.value.body["param"] == "input"  # type: ignore[index]
    answer = await api.responses.with_raw_response.create(**request, truncation="auto")
    kept = api.engine.requests[-1].prompt.messages
    assert [each["content"] for each in kept] == ["Be kind.", "last"]
    assert "dropped, the oldest first: 4" in answer.headers["x-warnings"]
