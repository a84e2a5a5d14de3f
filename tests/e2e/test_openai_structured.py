"""The official `openai` client's typed answers and tools, against a model that knows neither."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from openai import BadRequestError, OpenAI, pydantic_function_tool
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel, Field

pytestmark = pytest.mark.real

MODEL = "smollm2"
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Which colour has grass? Two coats, please."}]


class Wall(BaseModel):
    """A wall to be painted."""

    colour: Literal["red", "green"]
    coats: int = Field(ge=1, le=3)


class Room(BaseModel):
    """A room has two walls."""

    walls: list[Wall] = Field(min_length=2, max_length=2)
    finished: bool


class Paint(BaseModel):
    """Paint a wall."""

    wall: Wall


class Leave(BaseModel):
    """Leave the room."""

    door: Literal["left", "right"]


def asked(**fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": QUESTION, "temperature": 0, "max_tokens": 96, **fields}


def test_parse_gives_an_object_of_the_class(openai: OpenAI) -> None:
    answer = openai.chat.completions.parse(**asked(response_format=Room))
    room = answer.choices[0].message.parsed
    assert isinstance(room, Room)
    assert len(room.walls) == 2
    assert answer.choices[0].finish_reason == "stop"


def test_every_choice_is_of_the_class(openai: OpenAI) -> None:
    answer = openai.chat.completions.parse(**asked(response_format=Wall, n=3, temperature=1.2, seed=1))
    assert [type(choice.message.parsed) for choice in answer.choices] == [Wall] * 3


def test_parse_reads_the_arguments_of_tools(openai: OpenAI) -> None:
    tools = [pydantic_function_tool(Paint), pydantic_function_tool(Leave)]
    answer = openai.chat.completions.parse(**asked(tools=tools, tool_choice="required", parallel_tool_calls=False))
    choice = answer.choices[0]
    assert choice.message.tool_calls
    [call] = choice.message.tool_calls
    assert isinstance(call.function.parsed_arguments, Paint | Leave)
    assert call.id.startswith("call_")
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)


def test_the_stream_helper_ends_with_the_parsed_object_that_parse_gives(openai: OpenAI) -> None:
    with openai.chat.completions.stream(**asked(response_format=Room)) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert {"content.delta", "content.done"} <= set(kinds)
    assert isinstance(final.choices[0].message.parsed, Room)
    whole = openai.chat.completions.parse(**asked(response_format=Room))
    assert final.choices[0].message.content == whole.choices[0].message.content


def test_the_stream_helper_tells_the_arguments_of_a_call_as_they_come(openai: OpenAI) -> None:
    fields = asked(
        tools=[pydantic_function_tool(Paint)], tool_choice={"type": "function", "function": {"name": "Paint"}}
    )
    with openai.chat.completions.stream(**fields) as stream:
        pieces = [event.arguments_delta for event in stream if event.type == "tool_calls.function.arguments.delta"]
        call = stream.get_final_completion().choices[0].message.tool_calls
    assert call is not None
    assert isinstance(call[0].function.parsed_arguments, Paint)
    assert "".join(pieces) == call[0].function.arguments
    assert len(pieces) > 2


def test_tools_in_the_history_reach_a_model_that_knows_none(openai: OpenAI) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "Leave", "arguments": '{"door":"left"}'}}
    messages = [
        *QUESTION,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "You are outside now."},
    ]
    tools = [pydantic_function_tool(Leave)]
    with_result = openai.chat.completions.create(**asked(messages=messages, tools=tools, max_tokens=8))
    without = openai.chat.completions.create(**asked(tools=tools, max_tokens=8))
    assert with_result.usage is not None
    assert without.usage is not None
    assert with_result.usage.prompt_tokens > without.usage.prompt_tokens + 10
    assert with_result.choices[0].message.content or with_result.choices[0].message.tool_calls


def test_the_older_functions_still_work(openai: OpenAI) -> None:
    function = {"name": "leave", "parameters": Leave.model_json_schema()}
    answer = openai.chat.completions.create(**asked(functions=[function], function_call={"name": "leave"}))
    called = answer.choices[0].message.function_call
    assert called is not None
    assert Leave.model_validate_json(called.arguments)
    assert answer.choices[0].finish_reason == "function_call"


def test_a_keyword_that_cannot_be_kept_is_named_by_its_pointer(openai: OpenAI) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "boolean", "not": {"const": 1}}}, "required": ["a"]}
    form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
    with pytest.raises(BadRequestError) as raised:
        openai.chat.completions.create(**asked(response_format=form))
    assert raised.value.param == "response_format.json_schema.schema/properties/a/not"
    form["json_schema"] = {**form["json_schema"], "strict": False}  # type: ignore[dict-item]
    taken = openai.chat.completions.with_raw_response.create(**asked(response_format=form))
    assert "/properties/a/not" in taken.headers["x-ignored-params"]


def test_a_free_stream_is_the_same_beside_guided_ones(openai: OpenAI) -> None:
    def free() -> Any:
        return openai.chat.completions.create(**asked(stream=True, max_tokens=48))

    def text(stream: Any) -> str:
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    alone = text(free())
    stream = free()
    first = next(stream).choices[0].delta.content or ""
    assert openai.chat.completions.parse(**asked(response_format=Room)).choices[0].message.parsed
    assert first + text(stream) == alone


def test_a_tool_is_shown_to_the_model_without_being_forced(openai: OpenAI) -> None:
    tool: ChatCompletionToolParam = pydantic_function_tool(Leave)
    answer = openai.chat.completions.create(**asked(tools=[tool], tool_choice="none", max_tokens=16))
    assert answer.choices[0].message.tool_calls is None
    chosen = openai.chat.completions.create(**asked(tools=[tool], tool_choice="auto", max_tokens=64))
    for call in chosen.choices[0].message.tool_calls or []:
        assert call.type == "function"
        assert json.loads(call.function.arguments)["door"] in ("left", "right")
