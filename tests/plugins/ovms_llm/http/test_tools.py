from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai import pydantic_function_tool
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam
from pydantic import BaseModel
from tests.plugins.ovms_llm.http.conftest import Server, chunks_of, error_of, joined

from ovms_core.calls.endpoint import Call
from ovms_llm.grammar.guides import Output, format_of
from ovms_llm.grammar.limits import Limits
from ovms_llm.http.chat import ChatBody, ChatCompletions
from ovms_llm.messages import Sampling
from ovms_llm.speech.functions.tools import Function, ToolUse

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "How it is.", "parameters": SCHEMA}}
CLOCK = {"type": "function", "function": {"name": "clock"}}
PARIS = '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>'
ROME = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>'

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]


@pytest.fixture
def qwen(server: Server) -> Server:
    """A server whose model's template knows tools."""
    server.speaks("hermes", knows_tools=True)
    return server


def use_of(**fields: Any) -> ToolUse | None:
    return ChatBody.model_validate({"messages": [{"role": "user", "content": "Hi"}], **fields}).tool_use


FUNCTIONS = (Function("weather", SCHEMA, "How it is."), Function("clock"))
USES: list[tuple[dict[str, Any], ToolUse | None]] = [
    ({}, None),
    ({"tools": []}, None),
    ({"tools": [WEATHER, CLOCK]}, ToolUse(FUNCTIONS)),
    ({"tools": [WEATHER, CLOCK], "tool_choice": "none"}, None),
    ({"tools": [WEATHER, CLOCK], "tool_choice": "auto", "parallel_tool_calls": False}, ToolUse(FUNCTIONS, many=False)),
    ({"tools": [WEATHER, CLOCK], "tool_choice": "required"}, ToolUse(FUNCTIONS, "required")),
    (
        {"tools": [WEATHER, CLOCK], "tool_choice": {"type": "function", "function": {"name": "clock"}}},
        ToolUse(FUNCTIONS, "required", frozenset({"clock"}), many=False),
    ),
    (
        {
            "tools": [WEATHER, CLOCK],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [CLOCK]}},
        },
        ToolUse(FUNCTIONS, "auto", frozenset({"clock"})),
    ),
    (
        {
            "tools": [WEATHER, CLOCK],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [CLOCK, WEATHER]}},
        },
        ToolUse(FUNCTIONS, "required", frozenset({"clock", "weather"})),
    ),
    ({"functions": [CLOCK["function"]]}, ToolUse(FUNCTIONS[1:], many=False)),
    ({"functions": [CLOCK["function"]], "function_call": "none"}, None),
    (
        {"functions": [CLOCK["function"]], "function_call": {"name": "clock"}},
        ToolUse(FUNCTIONS[1:], "required", frozenset({"clock"}), many=False),
    ),
]


@pytest.mark.parametrize(("fields", "use"), USES)
def test_all_the_fields_together_say_what_may_be_called(fields: dict[str, Any], use: ToolUse | None) -> None:
    assert use_of(**fields) == use


@pytest.mark.parametrize(
    ("parameters", "schema"),
    [
        ({}, {"type": "object", "properties": {}}),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        ({"$ref": "#/$defs/a", "$defs": {"a": SCHEMA}}, {"$ref": "#/$defs/a", "$defs": {"a": SCHEMA}}),
    ],
)
def test_parameters_are_always_those_of_an_object(parameters: dict[str, Any], schema: dict[str, Any]) -> None:
    use = use_of(tools=[{"type": "function", "function": {"name": "f", "parameters": parameters}}])
    assert use is not None
    assert use.functions[0].parameters == schema


async def test_a_call_is_told_as_the_official_client_expects(qwen: Server) -> None:
    qwen.says("Let me see. ", *PARIS, *ROME)
    response = await qwen.chat(tools=[WEATHER])
    (choice,) = ChatCompletion.model_validate_json(response.content, strict=True).choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "Let me see.")
    assert choice.message.tool_calls is not None
    calls = response.json()["choices"][0]["message"]["tool_calls"]
    assert [call["function"] for call in calls] == [
        {"name": "weather", "arguments": '{"city": "Paris"}'},
        {"name": "weather", "arguments": '{"city": "Rome"}'},
    ]
    assert all(call["type"] == "function" and call["id"].startswith("call_") for call in calls)
    assert calls[0]["id"] != calls[1]["id"]


async def test_content_is_null_where_nothing_but_calls_was_said(qwen: Server) -> None:
    qwen.says(PARIS)
    message = (await qwen.chat(tools=[WEATHER])).json()["choices"][0]["message"]
    assert message["content"] is None
    assert message["refusal"] is None


async def test_a_streamed_call_begins_with_its_id_and_name_and_goes_on_with_its_arguments(qwen: Server) -> None:
    qwen.says(*PARIS, *ROME)
    chunks = chunks_of(await qwen.chat(tools=[WEATHER], stream=True))
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    first, *deltas, last = [chunk["choices"][0] for chunk in chunks]
    assert first["delta"] == {"role": "assistant", "content": ""}
    assert (last["delta"], last["finish_reason"]) == ({}, "tool_calls")
    pieces = [call for choice in deltas for call in choice["delta"]["tool_calls"]]
    for index in range(2):
        begin, *rest = [piece for piece in pieces if piece["index"] == index]
        assert begin == {
            "index": index,
            "id": begin["id"],
            "type": "function",
            "function": {"name": "weather", "arguments": ""},
        }
        assert len(rest) > 3
        assert all(piece.keys() == {"index", "function"} for piece in rest)
    assert arguments_in(chunks, 0) == {0: '{"city": "Paris"}', 1: '{"city": "Rome"}'}


def arguments_in(chunks: list[dict[str, Any]], choice: int) -> dict[int, str]:
    """The arguments of a choice's calls, joined."""
    calls: dict[int, str] = {}
    for chunk in chunks:
        for each in chunk["choices"]:
            for call in each["delta"].get("tool_calls", ()) if each["index"] == choice else ():
                calls[call["index"]] = calls.get(call["index"], "") + call["function"]["arguments"]
    return calls


def thoughts_in(chunks: list[dict[str, Any]], choice: int) -> str:
    """The thought of a choice, joined."""
    choices = [each for chunk in chunks for each in chunk["choices"] if each["index"] == choice]
    return "".join(each["delta"].get("reasoning_content", "") for each in choices)


ANSWERS = st.lists(
    st.sampled_from([PARIS, ROME, "Hello. ", "<tool", "<tool_call>{", "<think>", "</think>", "\n", "hm"]), max_size=5
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    answer=ANSWERS, cuts=st.lists(st.integers(1, 12), min_size=1, max_size=8), guided=st.booleans(), n=st.integers(1, 2)
)
async def test_joined_deltas_equal_the_unary_answer(
    server: Server, answer: list[str], cuts: list[int], guided: bool, n: int
) -> None:
    server.speaks("hermes", knows_tools=True, thinking={"opening": "<think>", "closing": "</think>"})
    server.says(*cut("<think>" + "".join(answer), cuts))
    fields = {"tools": [WEATHER], "n": n, "stop": None if guided and is_sound(answer) else "STOP"}
    whole = (await server.chat(**fields)).json()
    chunks = chunks_of(await server.chat(stream=True, **fields))
    for index, choice in enumerate(whole["choices"]):
        message = choice["message"]
        assert joined(chunks, index) == (message["content"] or "")
        assert thoughts_in(chunks, index) == message.get("reasoning_content", "")
        calls = [call["function"]["arguments"] for call in message.get("tool_calls", ())]
        assert list(arguments_in(chunks, index).values()) == calls
        last = [each for chunk in chunks for each in chunk["choices"] if each["index"] == index][-1]
        assert last["finish_reason"] == choice["finish_reason"]
        assert last.get("stop_reason") == choice.get("stop_reason")


def cut(text: str, sizes: list[int]) -> list[str]:
    """`text` in pieces of these sizes, again and again."""
    pieces, at, number = [], 0, 0
    while at < len(text):
        size = sizes[number % len(sizes)]
        pieces.append(text[at : at + size])
        at, number = at + size, number + 1
    return pieces


def is_sound(answer: list[str]) -> bool:
    """Whether a grammar would let a model say so."""
    return "<tool_call>{" not in answer


async def test_the_older_fields_get_the_older_answer(qwen: Server) -> None:
    qwen.says(*PARIS)
    fields = {"functions": [WEATHER["function"]], "function_call": {"name": "weather"}}
    response = await qwen.chat(**fields)
    (choice,) = ChatCompletion.model_validate_json(response.content, strict=True).choices
    assert choice.finish_reason == "function_call"
    called = {"name": "weather", "arguments": '{"city": "Paris"}'}
    assert response.json()["choices"][0]["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "function_call": called,
    }
    chunks = chunks_of(await qwen.chat(stream=True, **fields))
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    pieces = [chunk["choices"][0]["delta"].get("function_call", {}) for chunk in chunks]
    assert {"name": "weather", "arguments": ""} in pieces
    assert "".join(piece.get("arguments", "") for piece in pieces) == called["arguments"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "function_call"


async def test_a_template_that_knows_tools_gets_them(qwen: Server) -> None:
    assert (await qwen.chat(tools=[WEATHER, CLOCK])).status_code == 200
    empty = {"name": "clock", "description": "", "parameters": {"type": "object", "properties": {}}}
    assert qwen.asked.prompt.tools == [WEATHER, {"type": "function", "function": empty}]
    assert qwen.asked.markers == ["<tool_call>", "</tool_call>"]


@pytest.mark.parametrize("system", [None, "Be kind."])
async def test_a_template_that_knows_none_gets_them_in_words(server: Server, system: str | None) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    assert (await server.chat(messages=messages, tools=[WEATHER])).status_code == 200
    first, second = server.asked.prompt.messages
    assert (first["role"], second) == ("system", messages[-1])
    assert "weather" in first["content"]
    assert first["content"].startswith(f"{system}\n\n" if system else "You")
    assert server.asked.prompt.tools is None


async def test_tools_go_to_the_user_where_the_template_refuses_a_system_message(server: Server) -> None:
    server.speaks("gemma", knows_system=False)
    await server.chat(tools=[CLOCK])
    [message] = server.asked.prompt.messages
    assert message["role"] == "user"
    assert "clock" in message["content"]
    assert message["content"].endswith("\n\nHi")


async def test_what_a_user_says_behind_a_result_joins_it_where_roles_have_to_alternate(server: Server) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "noon"}
    asked = {"role": "user", "content": "Hi"}
    await server.chat(messages=[asked, {"role": "assistant", "tool_calls": [call]}, result, asked])
    assert [message["role"] for message in server.asked.prompt.messages] == ["user", "assistant", "user"]


@pytest.mark.parametrize(("id", "kept"), [("a1B2c3D4e", True), ("call_1", False), ("call_é", False)])
async def test_mistrals_template_gets_ids_as_it_wants_them(server: Server, id: str, kept: bool) -> None:
    server.speaks("mistral", knows_tools=True)
    call = {"id": id, "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": id, "content": "noon"}
    await server.chat(messages=[*MESSAGES, {"role": "assistant", "tool_calls": [call]}, result], tools=[CLOCK])
    _, called, answered = server.asked.prompt.messages
    assert called["tool_calls"][0]["id"] == answered["tool_call_id"]
    assert (answered["tool_call_id"] == id) is kept
    assert re.fullmatch("[a-zA-Z0-9]{9}", answered["tool_call_id"])


async def test_calls_and_results_in_the_history_become_words_where_the_template_knows_none(server: Server) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    results = [{"role": "tool", "tool_call_id": "c", "content": text} for text in ("noon", "night")]
    messages = [{"role": "assistant", "tool_calls": [call, call]}, *results, {"role": "user", "content": "So?"}]
    assert (await server.chat(messages=messages)).status_code == 200
    roles = [message["role"] for message in server.asked.prompt.messages]
    assert roles == ["assistant", "user"]
    assert "clock" in server.asked.prompt.messages[0]["content"]
    assert server.asked.prompt.messages[1]["content"].count("<tool_response>") == 2


async def test_calls_of_one_message_become_a_message_each_where_the_template_wants_that(server: Server) -> None:
    server.speaks("llama3_json", knows_tools=True)
    calls = [{"id": id, "type": "function", "function": {"name": "clock", "arguments": "{}"}} for id in "ab"]
    results = [{"role": "tool", "tool_call_id": id, "content": id} for id in "bac"]
    said = {"role": "assistant", "content": "Wait.", "tool_calls": calls}
    await server.chat(messages=[*MESSAGES, said, *results], tools=[CLOCK])
    told = [
        (message["role"], message["content"], [call["id"] for call in message.get("tool_calls", ())])
        for message in server.asked.prompt.messages[1:]
    ]
    assert told == [
        ("assistant", "Wait.", ["a"]),
        ("tool", "a", []),
        ("assistant", "", ["b"]),
        ("tool", "b", []),
        ("tool", "c", []),
    ]


async def test_with_no_choice_of_tools_text_stays_as_it_is(qwen: Server) -> None:
    qwen.says(*PARIS)
    choice = (await qwen.chat(tools=[WEATHER], tool_choice="none")).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (PARIS, "stop")
    assert (qwen.asked.prompt.tools, qwen.asked.guide, qwen.asked.markers) == (None, None, [])


async def test_a_certain_call_has_a_guide_and_a_seed(qwen: Server) -> None:
    assert (await qwen.chat(tools=[WEATHER], tool_choice="required")).status_code == 200
    assert qwen.asked.guide is not None
    assert qwen.asked.sampling.seed is not None
    assert "weather" in json.dumps(qwen.asked.guide.format)


async def test_only_the_functions_that_may_be_called_are_in_the_guide(qwen: Server) -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [CLOCK]}}
    assert (await qwen.chat(tools=[WEATHER, CLOCK], tool_choice=choice)).status_code == 200
    assert "weather" not in json.dumps(qwen.asked.guide.format)
    assert [tool["function"]["name"] for tool in qwen.asked.prompt.tools] == ["weather", "clock"]


async def test_the_operator_may_leave_calls_that_need_not_be_certain_unguided(qwen: Server) -> None:
    assert (await qwen.chat(tools=[WEATHER])).status_code == 200
    assert qwen.asked.guide is not None
    qwen.runner.requests.clear()
    assert qwen.runner.info is not None
    qwen.runner.info.details["guided_tools"] = False
    assert (await qwen.chat(tools=[WEATHER])).status_code == 200
    assert qwen.asked.guide is None
    assert qwen.asked.sampling == Sampling()


@pytest.mark.parametrize("field", ["use_beam_search", "ignore_eos", "min_tokens"])
async def test_what_breaks_a_grammar_is_refused_where_calls_must_be_certain(qwen: Server, field: str) -> None:
    fields = {field: 1 if field == "min_tokens" else True, "tools": [WEATHER]}
    error = error_of(await qwen.chat(tool_choice="required", **fields))
    assert (error["param"], error["code"]) == (field, "unsupported_parameter")
    assert not qwen.runner.requests
    assert (await qwen.chat(**fields)).status_code == 200
    assert qwen.asked.guide is None


async def test_a_stop_string_does_not_cut_a_certain_call(qwen: Server) -> None:
    fields = {"tools": [WEATHER], "stop": ["}"], "stop_token_ids": [1]}
    response = await qwen.chat(tool_choice="required", **fields)
    assert response.headers["x-ignored-params"] == "stop, stop_token_ids"
    assert (qwen.asked.sampling.stop, qwen.asked.sampling.stop_token_ids) == ([], [])
    qwen.runner.requests.clear()
    response = await qwen.chat(**fields)
    assert "x-ignored-params" not in response.headers
    assert (qwen.asked.sampling.stop, qwen.asked.guide) == (["}"], None)


UNENFORCEABLE = {"type": "object", "properties": {"a": {"not": {"const": 1}}}, "required": ["a"]}


def function(parameters: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "parameters": parameters, **fields}}


async def test_a_strict_function_that_cannot_be_enforced_is_refused_with_the_place(qwen: Server) -> None:
    error = error_of(await qwen.chat(tools=[WEATHER, function(UNENFORCEABLE, strict=True)]))
    assert error["param"] == "tools[1].function.parameters/properties/a/not"
    assert not qwen.runner.requests
    older = {"name": "f", "parameters": UNENFORCEABLE, "strict": True}
    assert error_of(await qwen.chat(functions=[older]))["param"] == "functions[0].parameters/properties/a/not"


async def test_what_is_not_enforced_of_other_functions_is_named(qwen: Server) -> None:
    response = await qwen.chat(tools=[WEATHER, function(UNENFORCEABLE)], tool_choice="required")
    assert response.status_code == 200, response.text
    assert response.headers["x-ignored-params"] == "tools[1].function.parameters/properties/a/not"
    assert qwen.asked.prompt.tools[1]["function"]["parameters"] == UNENFORCEABLE


async def test_a_schema_that_is_none_is_shown_to_the_model_but_not_enforced(qwen: Server) -> None:
    response = await qwen.chat(tools=[function({"type": "object", "properties": 5})])
    assert response.headers["x-ignored-params"] == "tools[0].function.parameters"
    assert qwen.asked.guide is not None


async def test_what_functions_have_in_common_is_in_the_grammar_and_in_its_size_once(qwen: Server) -> None:
    parameters = {"type": "object", "properties": {name: {"type": "string"} for name in ("from", "to", "subject")}}
    tools = [{"type": "function", "function": {"name": f"f{at}", "parameters": parameters}} for at in range(64)]
    response = await qwen.chat(tools=tools)
    assert "x-ignored-params" not in response.headers
    assert qwen.asked.guide.format["grammar"].count("string ::=") == 1


async def test_functions_that_are_too_many_for_one_grammar_take_any_object(qwen: Server) -> None:
    fields = {f"field_{number}": {"enum": [str(value) for value in range(number, 50)]} for number in range(30)}
    functions: list[dict[str, Any]] = [
        {"name": f"f{at}", "parameters": {"properties": fields | {f"own_{at}": {"type": "string"}}}} for at in range(5)
    ]
    tools = [{"type": "function", "function": each} for each in functions]
    schema = {"type": "object", **functions[0]["parameters"]}
    one = format_of(Output("json_schema", schema, strict=False), Limits()).size
    assert qwen.runner.info is not None
    qwen.runner.info.details["grammar_limits"] = {"size": 4 * one}
    response = await qwen.chat(tools=tools)
    assert response.status_code == 200, response.text
    named = response.headers["x-ignored-params"].split(", ")
    assert named[-1] == "tools[4].function.parameters"
    assert "tools[0].function.parameters" not in named
    for each in functions:
        each["strict"] = True
    assert error_of(await qwen.chat(tools=tools))["param"] == "tools[4].function.parameters"


async def test_a_call_that_a_model_got_wrong_is_content(qwen: Server) -> None:
    broken = '<tool_call>\n{"name": "weather", "argum'
    qwen.says(*broken)
    choice = (await qwen.chat(tools=[WEATHER], stop="END")).json()["choices"][0]
    assert choice["message"]["content"] == broken
    assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", "malformed_tool_call")


async def test_tokens_of_calls_count_and_show_in_continuous_usage(qwen: Server) -> None:
    qwen.says(*PARIS)
    options = {"include_usage": True, "continuous_usage_stats": True}
    *chunks, last = chunks_of(await qwen.chat(tools=[WEATHER], stream=True, stream_options=options))
    assert last["usage"]["completion_tokens"] == len(PARIS) + 1 == chunks[-1]["usage"]["completion_tokens"]


async def test_logprobs_beside_calls_are_those_of_the_content(qwen: Server) -> None:
    qwen.says("Hi", *PARIS)
    fields = {"tools": [WEATHER], "logprobs": True}
    choice = (await qwen.chat(**fields)).json()["choices"][0]
    assert choice["logprobs"]["content"][0]["token"] == "Hi"
    for chunk in chunks_of(await qwen.chat(stream=True, **fields)):
        ChatCompletionChunk.model_validate(chunk, strict=True)


def test_a_guardrail_reads_every_text_of_the_tools() -> None:
    parameters = {"properties": {"CITY": {"type": "string", "description": "WHERE", "enum": ["PARIS"]}}}
    function = {"name": "NAME", "description": "WHAT", "parameters": parameters}
    messages = [{"role": "assistant", "function_call": {"name": "CALLED", "arguments": "WITH"}}]
    for fields in ({"tools": [{"type": "function", "function": function}]}, {"functions": [function]}):
        body = ChatBody.model_validate({"messages": messages, **fields})
        texts = set(Call(ChatCompletions(), body, None).texts())
        assert texts >= {"NAME", "WHAT", "CITY", "WHERE", "PARIS", "CALLED", "WITH"}


async def test_the_tokenizer_counts_tools_as_the_chat_would(qwen: Server) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    response = await qwen.post("/tokenize", {"messages": messages, "tools": [WEATHER]})
    assert response.status_code == 200, response.text
    await qwen.chat(tools=[WEATHER])
    tokenized, chatted = qwen.runner.requests
    assert tokenized.prompt == chatted.prompt


async def test_the_tokenizer_takes_tools_with_messages_only(qwen: Server) -> None:
    assert error_of(await qwen.post("/tokenize", {"prompt": "Hi", "tools": [WEATHER]}))["param"] == "tools"


class Weather(BaseModel):
    """How the weather is."""

    city: str


async def test_the_official_client_parses_calls_into_its_models(qwen: Server) -> None:
    qwen.says(*PARIS.replace("weather", "Weather"))
    tools = [pydantic_function_tool(Weather)]
    answer = await qwen.openai.chat.completions.parse(model="smol", messages=MESSAGES, tools=tools)
    calls = answer.choices[0].message.tool_calls or []
    assert [call.function.parsed_arguments for call in calls] == [Weather(city="Paris")]


async def test_the_official_clients_stream_helper_tells_calls_as_they_come(qwen: Server) -> None:
    qwen.says("Well. ", *PARIS.replace("weather", "Weather"))
    tools = [pydantic_function_tool(Weather)]
    seen: list[str] = []
    async with qwen.openai.chat.completions.stream(model="smol", messages=MESSAGES, tools=tools) as stream:
        async for event in stream:
            seen.append(event.type)
            if event.type == "tool_calls.function.arguments.done":
                assert event.parsed_arguments == Weather(city="Paris")
        answer = await stream.get_final_completion()
    assert seen.count("tool_calls.function.arguments.done") == 1
    assert seen.count("tool_calls.function.arguments.delta") > 3
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Well.", "tool_calls")
