"""The official `openai` client's `responses`."""

from __future__ import annotations

import time
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI, pydantic_function_tool
from openai.types.responses import Response, ResponseFunctionToolCall
from tests.e2e.test_openai_structured import MODEL, Paint, Room

pytestmark = pytest.mark.real

QUESTION = "What is the capital of France? Answer in one short sentence."


def asked(**fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "input": QUESTION, "temperature": 0, "max_output_tokens": 48, **fields}


def test_create_answers_in_one_piece(openai: OpenAI) -> None:
    response = openai.responses.create(**asked())
    assert "Paris" in response.output_text
    assert response.status == "completed"
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    raw = openai.responses.with_raw_response.create(**asked())
    assert Response.model_validate_json(raw.text, strict=False)


def test_an_answer_that_is_cut_says_why(openai: OpenAI) -> None:
    response = openai.responses.create(**asked(input="Tell me a long story.", max_output_tokens=16))
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"


def test_parse_gives_an_object_of_the_class(openai: OpenAI) -> None:
    response = openai.responses.parse(**asked(input="A room.", text_format=Room, max_output_tokens=96))
    assert isinstance(response.output_parsed, Room)


def test_parse_reads_the_arguments_of_tools(openai: OpenAI) -> None:
    tools = [pydantic_function_tool(Paint)]
    response = openai.responses.parse(
        **asked(tools=tools, tool_choice="required", parallel_tool_calls=False, max_output_tokens=96)
    )
    calls = [item for item in response.output if item.type == "function_call"]
    assert calls
    assert all(isinstance(call.parsed_arguments, Paint) for call in calls)


def test_a_stream_tells_the_text_of_the_final_response(openai: OpenAI) -> None:
    with openai.responses.stream(**asked()) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == final.output_text
    assert final.output_text == openai.responses.create(**asked()).output_text
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")


def test_a_stream_parses_the_class(openai: OpenAI) -> None:
    with openai.responses.stream(**asked(input="A room.", text_format=Room, max_output_tokens=96)) as stream:
        final = stream.until_done().get_final_response()
    assert isinstance(final.output_parsed, Room)


def test_a_stream_tells_the_arguments_of_a_call(openai: OpenAI) -> None:
    tool = {"type": "function", "name": "paint", "strict": True, "parameters": strict_schema()}
    fields = asked(tools=[tool], tool_choice={"type": "function", "name": "paint"}, max_output_tokens=96, stream=True)
    events = list(openai.responses.create(**fields))
    numbers = [event.sequence_number for event in events]
    assert numbers == list(range(len(events)))
    pieces = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    [call] = [item for item in events[-1].response.output if isinstance(item, ResponseFunctionToolCall)]
    assert "".join(pieces) == call.arguments
    assert Paint.model_validate_json(call.arguments)


def strict_schema() -> dict[str, Any]:
    parameters: dict[str, Any] = pydantic_function_tool(Paint)["function"]["parameters"]
    return parameters


def test_a_conversation_goes_on_with_its_id(openai: OpenAI) -> None:
    first = openai.responses.create(**asked(input="My name is Ann.", max_output_tokens=16))
    second = openai.responses.create(**asked(input="What is my name?", previous_response_id=first.id))
    alone = openai.responses.create(**asked(input="What is my name?"))
    assert second.usage is not None
    assert alone.usage is not None
    assert second.usage.input_tokens > alone.usage.input_tokens + 8
    assert second.previous_response_id == first.id


def test_the_output_of_a_call_goes_back_with_the_id(openai: OpenAI) -> None:
    tool = {"type": "function", "name": "paint", "strict": True, "parameters": strict_schema()}
    first = openai.responses.create(
        **asked(tools=[tool], tool_choice="required", parallel_tool_calls=False, max_output_tokens=96)
    )
    calls = [item for item in first.output if isinstance(item, ResponseFunctionToolCall)]
    outputs = [{"type": "function_call_output", "call_id": call.call_id, "output": "Done."} for call in calls]
    second = openai.responses.create(**asked(input=outputs, previous_response_id=first.id, tools=[tool]))
    assert second.output


def test_a_stored_response_is_shown_listed_and_deleted(openai: OpenAI) -> None:
    response = openai.responses.create(**asked(metadata={"ticket": "42"}))
    shown = openai.responses.retrieve(response.id)
    assert (shown.output_text, shown.metadata) == (response.output_text, {"ticket": "42"})
    [item] = openai.responses.input_items.list(response.id).data
    assert item.type == "message"
    openai.responses.delete(response.id)
    with pytest.raises(NotFoundError):
        openai.responses.retrieve(response.id)


def test_a_response_in_the_background_is_polled_for(openai: OpenAI) -> None:
    response = openai.responses.create(**asked(background=True))
    deadline = time.monotonic() + 60
    while response.status in ("queued", "in_progress") and time.monotonic() < deadline:
        time.sleep(0.05)
        response = openai.responses.retrieve(response.id)
    assert response.status == "completed"
    assert "Paris" in response.output_text


def test_a_response_in_the_background_is_cancelled(openai: OpenAI) -> None:
    response = openai.responses.create(**asked(input="Tell a long story.", background=True, max_output_tokens=4000))
    assert openai.responses.cancel(response.id).status == "cancelled"
    assert openai.responses.retrieve(response.id).status == "cancelled"


def test_hosted_tools_are_refused_by_name(openai: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="web_search"):
        openai.responses.create(**asked(tools=[{"type": "web_search"}]))
