from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from tests.plugins.ovms_llm.http.conftest import Server, chunks_of, error_of, frames_of, joined

from ovms_core.errors import APIError
from ovms_llm.messages import Chat, Delta, Sampling, Started


async def test_an_answer_is_what_the_official_client_expects(server: Server) -> None:
    response = await server.chat(n=2, logprobs=True)
    answer = ChatCompletion.model_validate_json(response.content, strict=True)
    assert answer.id.startswith("chatcmpl-")
    assert [choice.message.content for choice in answer.choices] == ["Hello wörld!"] * 2
    assert [choice.finish_reason for choice in answer.choices] == ["stop", "stop"]
    document = response.json()
    assert document["choices"][0]["message"] == {"role": "assistant", "content": "Hello wörld!", "refusal": None}
    assert document["choices"][0]["stop_reason"] == "END"
    assert document["choices"][0]["logprobs"]["content"][0] == {
        "token": "Hello",
        "logprob": 0.0,
        "bytes": list(b"Hello"),
        "top_logprobs": [],
    }


async def test_a_prompt_counts_once_however_many_answers_it_has(server: Server) -> None:
    usage = (await server.chat(n=3)).json()["usage"]
    assert usage == {
        "prompt_tokens": 5,
        "completion_tokens": 15,
        "total_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 3},
    }


async def test_required_members_are_null_rather_than_absent(server: Server) -> None:
    choice = (await server.chat()).json()["choices"][0]
    assert choice["logprobs"] is None
    assert choice["message"]["refusal"] is None


async def test_a_stream_opens_tells_and_closes_every_choice_once(server: Server) -> None:
    chunks = chunks_of(await server.chat(stream=True, n=2))
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    for index in range(2):
        own = [chunk["choices"][0] for chunk in chunks if chunk["choices"][0]["index"] == index]
        assert own[0]["delta"] == {"role": "assistant", "content": ""}
        assert own[-1]["delta"] == {}
        assert [choice["finish_reason"] for choice in own] == [None] * (len(own) - 1) + ["stop"]
        assert own[-1]["stop_reason"] == "END"
        assert all(choice["delta"]["content"] for choice in own[1:-1])
        assert all(choice["logprobs"] is None for choice in own)


@pytest.mark.parametrize("n", [1, 3])
async def test_joined_deltas_equal_the_unary_answer(server: Server, n: int) -> None:
    whole = (await server.chat(n=n)).json()
    chunks = chunks_of(await server.chat(n=n, stream=True))
    assert [joined(chunks, index) for index in range(n)] == [each["message"]["content"] for each in whole["choices"]]


async def test_all_chunks_share_id_time_model_and_fingerprint(server: Server) -> None:
    chunks = chunks_of(await server.chat(stream=True, model="gpt"))
    heads = {tuple(chunk[name] for name in ("id", "created", "model", "system_fingerprint")) for chunk in chunks}
    ((_, _, model, fingerprint),) = heads
    assert model == "gpt"
    assert fingerprint == (await server.chat()).json()["system_fingerprint"]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}


async def test_ids_are_unique(server: Server) -> None:
    assert (await server.chat()).json()["id"] != (await server.chat()).json()["id"]


async def test_an_answer_names_the_model_when_the_request_did_not(server: Server) -> None:
    assert (await server.chat()).json()["model"] == "smol"


async def test_usage_comes_in_a_last_chunk_and_is_null_in_all_others(server: Server) -> None:
    *others, last = chunks_of(await server.chat(stream=True, stream_options={"include_usage": True}))
    assert last["choices"] == []
    assert last["usage"] == (await server.chat()).json()["usage"]
    assert all(chunk["usage"] is None for chunk in others)
    assert all("usage" not in chunk for chunk in chunks_of(await server.chat(stream=True)))


@pytest.mark.parametrize("logprobs", [False, True])
async def test_continuous_usage_is_in_every_chunk_and_grows_with_its_choice(server: Server, logprobs: bool) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    response = await server.chat(stream=True, stream_options=options, n=2, logprobs=logprobs)
    *chunks, last = chunks_of(response)
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    for index in range(2):
        told = [chunk["usage"] for chunk in chunks if chunk["choices"][0]["index"] == index]
        assert {usage["prompt_tokens"] for usage in told} == {5}
        counts = [usage["completion_tokens"] for usage in told]
        assert (counts[0], counts[-1], counts) == (0, 5, sorted(counts))
        assert all(usage["total_tokens"] == 5 + usage["completion_tokens"] for usage in told)
    assert (last["choices"], last["usage"]["completion_tokens"]) == ([], 10)


async def test_streamed_logprobs_equal_the_unary_ones(server: Server) -> None:
    whole = (await server.chat(logprobs=True)).json()["choices"][0]["logprobs"]["content"]
    chunks = chunks_of(await server.chat(logprobs=True, stream=True))
    told = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    assert [token for each in told if each for token in each["content"]] == whole
    assert len(whole) == 5


async def test_timings_are_told_when_asked_for(server: Server) -> None:
    assert "timings" not in (await server.chat()).json()
    timings = (await server.chat(timings=True)).json()["timings"]
    assert {name: value for name, value in timings.items() if name != "server_ms"} == {
        "queue_ms": 2.0,
        "tokenize_ms": 1.0,
        "prefill_ms": 3.0,
        "decode_ms": 4.0,
        "tokens_per_second": 50.0,
    }
    assert timings["server_ms"] >= 0
    *_, last = chunks_of(await server.chat(timings=True, stream=True))
    assert last["choices"] == []
    assert last["timings"].keys() == timings.keys()


async def test_a_choice_that_an_interceptor_cut_short_still_finishes(server: Server) -> None:
    server.runner.script = lambda request: [Started(1), Delta(0, "Hel", [1])]
    assert (await server.chat()).json()["choices"][0]["finish_reason"] == "stop"
    assert chunks_of(await server.chat(stream=True))[-1]["choices"][0]["finish_reason"] == "stop"


async def test_an_early_error_keeps_its_status_and_a_late_one_is_a_frame(server: Server) -> None:
    full = APIError(429, "The queue is full.", retry_after=1)
    server.runner.script = lambda request: [full]
    assert (await server.chat(stream=True)).status_code == 429
    server.runner.script = lambda request: [Started(1), Delta(0, "a", [1]), APIError(503, "gone")]
    assert '"message":"gone"' in frames_of(await server.chat(stream=True))[-1]


async def test_text_that_json_must_escape_survives(server: Server) -> None:
    text = '"\\\n\u2028%s%b{}\x00\U0001f600'
    server.runner.script = lambda request: [Started(1), Delta(0, text, [1], None, "length")]
    assert joined(chunks_of(await server.chat(stream=True))) == text
    assert (await server.chat()).json()["choices"][0]["message"]["content"] == text


HONOURED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"max_tokens": 7}, {"max_tokens": 7}),
    ({"max_completion_tokens": 7.0}, {"max_tokens": 7}),
    ({"max_tokens": 7, "max_completion_tokens": 7}, {"max_tokens": 7}),
    ({"min_tokens": 3}, {"min_tokens": 3}),
    ({"temperature": 0}, {"temperature": 0}),
    ({"top_p": 0.5}, {"top_p": 0.5}),
    ({"top_k": 5}, {"top_k": 5}),
    ({"top_k": -1}, {"top_k": 0}),
    ({"min_p": 0.1}, {"min_p": 0.1}),
    ({"repetition_penalty": 1.1}, {"repetition_penalty": 1.1}),
    ({"frequency_penalty": -2}, {"frequency_penalty": -2}),
    ({"presence_penalty": 2}, {"presence_penalty": 2}),
    ({"seed": -(2**63)}, {"seed": -(2**63)}),
    ({"n": 2.0}, {"n": 2}),
    ({"best_of": 3, "n": 2}, {"best_of": 3, "n": 2}),
    ({"use_beam_search": True, "best_of": 4}, {"use_beam_search": True, "best_of": 4}),
    ({"length_penalty": 0.5}, {"length_penalty": 0.5}),
    ({"stop": "END"}, {"stop": ["END"]}),
    ({"stop": ["a", "b", "c", "d"]}, {"stop": ["a", "b", "c", "d"]}),
    ({"stop": []}, {}),
    ({"stop": [f"stop {number}" for number in range(64)]}, {"stop": [f"stop {number}" for number in range(64)]}),
    ({"stop": ["a", "b", "a", ""]}, {"stop": ["a", "b"]}),
    ({"max_tokens": -1}, {}),
    ({"max_completion_tokens": -1.0}, {}),
    ({"stop_token_ids": [1, 2.0]}, {"stop_token_ids": [1, 2]}),
    ({"include_stop_str_in_output": True}, {"include_stop": True}),
    ({"ignore_eos": True}, {"ignore_eos": True}),
    ({"skip_special_tokens": False}, {"skip_special_tokens": False}),
    ({"logprobs": True, "top_logprobs": 0}, {"logprobs": True}),
]


@pytest.mark.parametrize(("fields", "sampling"), HONOURED)
async def test_a_sampling_field_reaches_the_engine(
    server: Server, fields: dict[str, Any], sampling: dict[str, Any]
) -> None:
    assert (await server.chat(**fields)).status_code == 200
    assert server.asked.sampling == Sampling(**sampling)


HARMLESS: list[dict[str, Any]] = [
    {"tools": []},
    {"tool_choice": "none"},
    {"tool_choice": "auto"},
    {"parallel_tool_calls": True},
    {"response_format": {"type": "text"}},
    {"logit_bias": {}},
    {"modalities": ["text"]},
    {"stream_options": None, "temperature": None, "tools": None, "seed": None},
    {"stream": True, "stream_options": {"include_usage": None, "include_obfuscation": False}},
    {"messages": [{"role": "user", "content": "Hi", "name": None, "tool_calls": None}]},
]


@pytest.mark.parametrize("fields", HARMLESS)
async def test_a_value_without_effect_is_accepted(server: Server, fields: dict[str, Any]) -> None:
    assert (await server.chat(**fields)).status_code == 200
    assert server.asked.sampling == Sampling()


TOOL = {"type": "function", "function": {"name": "f"}}
OTHER_TOOL = {"type": "function", "function": {"name": "g"}}

UNSUPPORTED: list[tuple[dict[str, Any], str]] = [
    ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools[0].type"),
    ({"tools": [TOOL], "tool_choice": {"type": "mcp", "server_label": "x"}}, "tool_choice.type"),
    ({"num_assistant_tokens": 3}, "num_assistant_tokens"),
    ({"logit_bias": {"5": 1}}, "logit_bias"),
    ({"logprobs": True, "top_logprobs": 2}, "top_logprobs"),
    ({"modalities": ["audio"]}, "modalities"),
    ({"audio": {"voice": "x"}}, "audio"),
    ({"stream": True, "stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]},
        "messages[0].content[0].type",
    ),
]


@pytest.mark.parametrize(("fields", "param"), UNSUPPORTED)
async def test_what_cannot_be_honoured_is_refused_by_name(server: Server, fields: dict[str, Any], param: str) -> None:
    error = error_of(await server.chat(**fields))
    assert (error["code"], error["param"]) == ("unsupported_parameter", param)
    assert "not supported" in error["message"]
    assert not server.runner.requests


INVALID: list[tuple[dict[str, Any], str | None]] = [
    ({"messages": []}, "messages"),
    ({"messages": "Hi"}, "messages"),
    ({"messages": None}, "messages"),
    ({"messages": [5]}, "messages[0]"),
    ({"messages": [{"content": "Hi"}]}, "messages[0].role"),
    ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "txt": "a"}]}]}, "messages[0].content[0].text"),
    ({"messages": [{"role": "user", "content": [{"type": "smell"}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "user", "content": "Hi", "contents": "x"}]}, "messages[0].contents"),
    ({"messages": [{"role": "tool", "content": "Hi"}]}, "messages[0].tool_call_id"),
    ({"messages": [{"role": "user", "content": "Hi", "tool_call_id": "x"}]}, "messages[0].tool_call_id"),
    ({"messages": [{"role": "user", "content": "Hi", "refusal": "x"}]}, "messages[0].refusal"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_p": 0}, "top_p"),
    ({"top_k": -2}, "top_k"),
    ({"min_p": 1.1}, "min_p"),
    ({"repetition_penalty": 0}, "repetition_penalty"),
    ({"repetition_penalty": 1e-40}, "repetition_penalty"),
    ({"frequency_penalty": 2.1}, "frequency_penalty"),
    ({"presence_penalty": -2.1}, "presence_penalty"),
    ({"seed": 2**63}, "seed"),
    ({"seed": 0.5}, "seed"),
    ({"n": 0}, "n"),
    ({"n": 129}, "n"),
    ({"n": True}, "n"),
    ({"n": 3, "best_of": 2}, "best_of"),
    ({"best_of": 2, "stream": True}, "best_of"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": -2}, "max_tokens"),
    ({"max_completion_tokens": 0}, "max_completion_tokens"),
    ({"max_tokens": -1, "max_completion_tokens": 5}, "max_completion_tokens"),
    ({"max_tokens": 3, "max_completion_tokens": 4}, "max_completion_tokens"),
    ({"max_completion_tokens": 4, "min_tokens": 5}, "min_tokens"),
    ({"stop": [str(number) for number in range(65)]}, "stop"),
    ({"stop": ["a", 5]}, "stop[1]"),
    ({"stop_token_ids": [-1]}, "stop_token_ids[0]"),
    ({"stream_options": {"include_usage": True}}, "stream_options"),
    ({"stream": True, "stream_options": {"include_usge": True}}, "stream_options.include_usge"),
    ({"stream": "yes"}, "stream"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"logprobs": 1}, "logprobs"),
    ({"temprature": 1}, "temprature"),
    ({"chat_template_kwargs": {"a": 2**64}}, "chat_template_kwargs.a"),
    ({"tools": [{"function": {"name": "f"}}]}, "tools[0].type"),
    ({"tools": [{"type": "function"}]}, "tools[0].function"),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
    ({"tools": [{"type": "function", "function": {"name": "f" * 65}}]}, "tools[0].function.name"),
    ({"tools": [TOOL, TOOL]}, "tools[1].function.name"),
    (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}]},
        "tools[0].function.parameters.type",
    ),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tools": [TOOL], "tool_choice": "some"}, "tool_choice"),
    ({"tools": [TOOL], "tool_choice": {"type": "function"}}, "tool_choice.function"),
    ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice.function.name"),
    (
        {
            "tools": [TOOL],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TOOL, OTHER_TOOL]}},
        },
        "tool_choice.allowed_tools.tools[1].function.name",
    ),
    ({"tools": [TOOL], "functions": [{"name": "f"}]}, "functions"),
    ({"functions": [{"name": "f"}, {"name": "f"}]}, "functions[1].name"),
    ({"function_call": {"name": "f"}}, "function_call"),
    ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call.name"),
    ({"reasoning_effort": "huge"}, "reasoning_effort"),
    ({"reasoning_effort": "low", "reasoning": {"effort": "high"}}, "reasoning.effort"),
    ({"reasoning_effort": "none", "enable_thinking": True}, "enable_thinking"),
    ({"thinking_budget": -2}, "thinking_budget"),
    ({"thinking_budget": 5, "thinking": {"type": "enabled", "budget_tokens": 6}}, "thinking.budget_tokens"),
    ({"continue_final_message": True}, "continue_final_message"),
    ({"continue_final_message": True, "add_generation_prompt": True}, "add_generation_prompt"),
]


@pytest.mark.parametrize(("fields", "param"), INVALID)
async def test_a_wrong_value_is_refused_with_its_path(server: Server, fields: dict[str, Any], param: str) -> None:
    error = error_of(await server.chat(**fields))
    assert error["param"] == param
    assert not server.runner.requests


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
async def test_a_limit_over_the_context_is_named_as_the_client_did(server: Server, field: str) -> None:
    server.runner.script = lambda request: [APIError(400, "too long", param="max_tokens")]
    assert error_of(await server.chat(**{field: 9000}))["param"] == field


async def test_an_unknown_field_gets_a_suggestion(server: Server) -> None:
    error = error_of(await server.chat(temprature=1))
    assert error["message"] == "Unknown field 'temprature'. Did you mean 'temperature'?"


WITHOUT_EFFECT: list[tuple[dict[str, Any], str | None]] = [
    ({"user": "me", "metadata": {"a": 1}, "service_tier": "auto"}, "user, metadata, service_tier"),
    ({"reasoning_effort": "none", "include_reasoning": False}, "reasoning_effort"),
    ({"reasoning_effort": "high", "reasoning": {"effort": "high"}}, "reasoning_effort, reasoning.effort"),
    ({"thinking": {"type": "disabled"}, "enable_thinking": False}, "thinking, enable_thinking"),
    ({"thinking": True, "reasoning_effort": None}, "thinking"),
    ({"thinking": {"type": "enabled", "budget_tokens": 9}}, "thinking, thinking.budget_tokens"),
    ({"thinking_budget": 9, "reasoning": {"max_tokens": 9}}, "thinking_budget, reasoning.max_tokens"),
    ({"thinking_budget": -1}, None),
    ({"top_logprobs": 0}, "top_logprobs"),
    ({"top_logprobs": 0, "logprobs": True}, None),
    ({"stop": ""}, "stop"),
    ({"stop": ["a", "", "b", ""]}, "stop[1], stop[3]"),
    ({"stream": True, "stream_options": {"continuous_usage_stats": True}}, "stream_options.continuous_usage_stats"),
    ({"stream": True, "stream_options": {"continuous_usage_stats": True, "include_usage": True}}, None),
]


@pytest.mark.parametrize(("fields", "named"), WITHOUT_EFFECT)
async def test_fields_without_effect_are_named_in_a_header(
    server: Server, fields: dict[str, Any], named: str | None
) -> None:
    response = await server.chat(**fields)
    assert response.status_code == 200, response.text
    assert response.headers.get("x-ignored-params") == named


async def test_a_conversation_reaches_the_template_in_its_terms(server: Server) -> None:
    server.speaks("hermes", knows_tools=True)
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    messages = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": parts, "name": "Ann"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "3", "tool_call_id": "c1"},
        {"role": "assistant", "content": None, "refusal": "No."},
        {"role": "assistant", "content": "Well", "refusal": None, "annotations": []},
    ]
    fields = {"continue_final_message": True, "chat_template_kwargs": {"enable_thinking": False}}
    assert (await server.chat(messages=messages, **fields)).status_code == 200
    call["function"] = {"name": "add", "arguments": {"a": 1}}
    assert server.asked.prompt == Chat(
        messages=[
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "one\ntwo", "name": "Ann"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "content": "3", "tool_call_id": "c1"},
            {"role": "assistant", "content": "No."},
            {"role": "assistant", "content": "Well"},
        ],
        add_generation_prompt=False,
        continue_final_message=True,
        template_kwargs={"enable_thinking": False},
    )


@pytest.mark.parametrize("arguments", ["not json", "[1]", '{"a": 1e999}', '{"a": 99999999999999999999}'])
async def test_arguments_that_a_model_got_wrong_stay_text(server: Server, arguments: str) -> None:
    server.speaks("hermes", knows_tools=True)
    call = {"id": "c1", "function": {"name": "add", "arguments": arguments}}
    assert (await server.chat(messages=[{"role": "assistant", "tool_calls": [call]}])).status_code == 200
    assert server.asked.prompt.messages[0]["tool_calls"][0]["function"]["arguments"] == arguments


async def test_thoughts_and_older_function_calls_in_the_history_reach_the_template(server: Server) -> None:
    server.speaks("hermes", knows_tools=True)
    messages = [
        {"role": "assistant", "content": "Well", "reasoning": "hm"},
        {"role": "assistant", "reasoning_content": "ha", "function_call": {"name": "add", "arguments": '{"a": 1}'}},
        {"role": "function", "name": "add", "content": [{"type": "text", "text": "3"}]},
    ]
    assert (await server.chat(messages=messages)).status_code == 200
    call = {"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
    assert server.asked.prompt.messages == [
        {"role": "assistant", "content": "Well", "reasoning_content": "hm"},
        {"role": "assistant", "content": "", "reasoning_content": "ha", "thinking": "ha", "tool_calls": [call]},
        {"role": "tool", "content": "3", "name": "add"},
    ]
