from __future__ import annotations

import json
from typing import Any

import pytest
from tests.plugins.ovms_llm.http.conftest import Server, error_of

from ovms_core.plugin import APIError
from ovms_llm.messages import Sampling

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}
TOOL = {"type": "function", "function": {"name": "clock"}}
CALL = '<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>'
PARIS = '{"city": "Paris"}'


@pytest.fixture
def qwen(server: Server) -> Server:
    server.speaks("hermes", knows_tools=True)
    server.says(*PARIS)
    return server


async def test_a_seed_of_the_clients_is_kept(qwen: Server) -> None:
    await qwen.chat(response_format=FORMAT, seed=7)
    assert qwen.asked.sampling == Sampling(seed=7)


async def test_with_tools_the_model_chooses_between_a_call_and_the_document(qwen: Server) -> None:
    fields = {"response_format": FORMAT, "tools": [TOOL]}
    assert (await qwen.chat(**fields)).json()["choices"][0]["message"]["content"] == PARIS
    assert qwen.asked.guide.format["type"] == "or"
    assert "clock" in json.dumps(qwen.asked.guide.format)
    qwen.says(*CALL)
    choice = (await qwen.chat(**fields)).json()["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)


async def test_a_call_that_must_be_made_leaves_no_room_for_the_document(qwen: Server) -> None:
    qwen.says(*CALL)
    assert (await qwen.chat(response_format=FORMAT, tools=[TOOL], tool_choice="required")).status_code == 200
    assert "city" not in json.dumps(qwen.asked.guide.format)


async def test_the_thought_before_a_document_is_not_looked_at(qwen: Server) -> None:
    qwen.speaks("hermes", knows_tools=True, thinking={"opening": "<think>", "closing": "</think>"})
    qwen.says("<think>", "hm", "</think>", *PARIS)
    message = (await qwen.chat(response_format=FORMAT)).json()["choices"][0]["message"]
    assert (message["reasoning"], message["content"]) == ("hm", PARIS)


@pytest.mark.parametrize(("field", "value"), [("use_beam_search", True), ("ignore_eos", True), ("min_tokens", 3)])
async def test_what_breaks_a_grammar_is_refused(qwen: Server, field: str, value: Any) -> None:
    error = error_of(await qwen.chat(response_format=FORMAT, **{field: value}))
    assert (error["param"], error["code"]) == (field, "unsupported_parameter")


async def test_a_stop_string_does_not_cut_a_document(qwen: Server) -> None:
    response = await qwen.chat(response_format=FORMAT, stop=["}"])
    assert response.headers["x-ignored-params"] == "stop"
    assert qwen.asked.sampling.stop == []


async def test_what_many_functions_have_in_common_counts_once(qwen: Server) -> None:
    tools = [{"type": "function", "function": {"name": f"f{number}", "parameters": SCHEMA}} for number in range(60)]
    response = await qwen.chat(tools=tools, tool_choice="required")
    assert "x-ignored-params" not in response.headers


def _interrupted(server: Server, times: int) -> None:
    """The first `times` answers are interrupted in their middle and cannot go on."""
    told = server.runner.script

    def script(request: Any) -> Any:
        events = list(told(request))
        broken = len(server.runner.requests) <= times
        yield from [*events[:2], APIError(500, "other", code="cannot_resume")] if broken else events

    server.runner.script = script


async def test_an_answer_that_nobody_has_seen_begins_anew_where_it_cannot_go_on(qwen: Server) -> None:
    _interrupted(qwen, times=2)
    message = (await qwen.chat(response_format=FORMAT)).json()["choices"][0]["message"]
    assert message["content"] == PARIS
    assert len(qwen.runner.requests) == 3


async def test_it_does_not_begin_anew_for_ever(qwen: Server) -> None:
    _interrupted(qwen, times=9)
    response = await qwen.chat(response_format=FORMAT)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "cannot_resume")
    assert len(qwen.runner.requests) == 5


async def test_a_stream_that_cannot_go_on_ends_with_an_error(qwen: Server) -> None:
    _interrupted(qwen, times=1)
    response = await qwen.chat(response_format=FORMAT, stream=True)
    assert "cannot_resume" in response.text
    assert len(qwen.runner.requests) == 1
