"""What ``POST /responses`` takes, what it refuses by name, and what it accepts without effect."""

from __future__ import annotations

from typing import Any

import pytest
from tests.plugins.ovms_llm.http.conftest import error_of
from tests.plugins.ovms_llm.responses.conftest import WEATHER, Api, words

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER = {"type": "function", "name": "other"}
USER = {"role": "user", "content": "Hi"}

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"input": ""}, "input"),
    ({"input": []}, "input"),
    ({"input": None}, "input"),
    ({"conversation": "conv_1"}, "conversation"),
    ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    ({"response_format": {"type": "json_object"}}, "response_format"),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ({"tools": [WEATHER, {"type": "mcp", "server_label": "x"}]}, "tools[1].type"),
    ({"tools": [{"type": "custom", "name": "x"}]}, "tools[0].type"),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools[0].name"),
    ({"tools": [WEATHER, WEATHER]}, "tools[1].name"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "x"}}, "tool_choice.name"),
    ({"tools": [WEATHER], "tool_choice": {"type": "function"}}, "tool_choice.name"),
    ({"tools": [WEATHER], "tool_choice": {"type": "file_search"}}, "tool_choice.type"),
    (
        {"tools": [WEATHER], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [OTHER]}},
        "tool_choice.tools[0].name",
    ),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, "input[0].content[0].type"),
    ({"input": [USER, {"type": "web_search_call", "id": "ws_1"}]}, "input[1].type"),
    ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
    ({"input": [{"role": "user"}]}, "input[0].content"),
    ({"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}, "input[0].call_id"),
    ({"input": [5]}, "input[0]"),
    ({"input": [{"type": "item_reference", "id": "msg_1"}] * 257}, "input"),
    ({"background": True, "store": False}, "background"),
    ({"include": ["everything"]}, "include[0]"),
    ({"metadata": {str(at): "x" for at in range(17)}}, "metadata"),
    ({"metadata": {"a": "x" * 513}}, "metadata.a"),
    ({"metadata": {"a": 1}}, "metadata.a"),
    ({"max_output_tokens": 0}, "max_output_tokens"),
    ({"max_output_tokens": 5, "max_tokens": 6}, "max_output_tokens"),
    ({"n": 2}, "n"),
    ({"truncation": "middle"}, "truncation"),
    ({"top_logprobs": 5}, "top_logprobs"),
    ({"reasoning": {"effort": "enormous"}}, "reasoning.effort"),
    ({"previous_respons_id": "resp_1"}, "previous_respons_id"),
]


@pytest.mark.parametrize(("fields", "param"), REFUSED, ids=[f"{at}-{param}" for at, (_, param) in enumerate(REFUSED)])
async def test_what_cannot_be_is_refused_by_its_path(api: Api, fields: dict[str, Any], param: str) -> None:
    error = error_of(await api.http.post("/responses", json={"input": "Hi"} | fields))
    assert error["param"] == param
    assert not api.engine.requests


IGNORED: list[tuple[dict[str, Any], str]] = [
    ({"text": {"verbosity": "low"}}, "text.verbosity"),
    ({"reasoning": {"summary": "auto"}}, "reasoning.summary"),
    ({"include": ["reasoning.encrypted_content"]}, "include[0]"),
    ({"max_tool_calls": 3}, "max_tool_calls"),
    ({"service_tier": "auto"}, "service_tier"),
    ({"user": "ada"}, "user"),
    ({"safety_identifier": "x"}, "safety_identifier"),
    ({"prompt_cache_key": "x"}, "prompt_cache_key"),
    ({"colour": "red"}, "colour"),
]


@pytest.mark.parametrize(("fields", "name"), IGNORED, ids=[name for _, name in IGNORED])
async def test_what_has_no_effect_is_named(api: Api, fields: dict[str, Any], name: str) -> None:
    answer = await api.http.post("/responses", json={"input": "Hi"} | fields)
    assert answer.status_code == 200
    assert answer.headers["x-ignored-params"] == name


async def test_sampling_and_reasoning_reach_the_engine(api: Api) -> None:
    fields = {"temperature": 0.5, "top_p": 0.9, "seed": 7, "top_k": 5, "stop": ["END"], "max_output_tokens": 20}
    answer = await api.http.post("/responses", json={"input": "Hi", "reasoning": {"effort": "low"}, **fields})
    assert answer.json()["reasoning"]["effort"] == "low"
    (asked,) = api.engine.requests
    sampling = asked.sampling
    assert (sampling.temperature, sampling.top_p, sampling.seed, sampling.top_k) == (0.5, 0.9, 7, 5)
    assert (sampling.stop, sampling.max_tokens) == (["END"], 20)
    assert asked.prompt.template_kwargs["reasoning_effort"] == "low"


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("auto", ["weather", "other"]),
        ({"type": "function", "name": "other"}, ["weather", "other"]),
        ("none", None),
    ],
)
async def test_tools_reach_the_template(api: Api, choice: Any, names: list[str] | None) -> None:
    answer = await api.http.post("/responses", json={"input": "Hi", "tools": [WEATHER, OTHER], "tool_choice": choice})
    assert answer.json()["tool_choice"] == choice
    (asked,) = api.engine.requests
    shown = asked.prompt.tools and [tool["function"]["name"] for tool in asked.prompt.tools]
    assert shown == names


async def test_the_documentation_has_all_five_endpoints(api: Api) -> None:
    paths = api.app.server.openapi["paths"]
    found = {(path, method) for path in paths if path.startswith("/responses") for method in paths[path]}
    assert found == {
        ("/responses", "post"),
        ("/responses/{id}", "get"),
        ("/responses/{id}", "delete"),
        ("/responses/{id}/cancel", "post"),
        ("/responses/{id}/input_items", "get"),
    }


async def test_a_text_format_guides_the_answer_and_is_shown(api: Api) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    format = {"type": "json_schema", "name": "answer", "schema": schema, "strict": True}
    api.says(*words('{"a": 5}', finish="stop"))
    answer = await api.http.post("/responses", json={"input": "Hi", "text": {"format": format}})
    assert answer.json()["text"]["format"] == format
    assert answer.json()["output"][0]["content"][0]["text"] == '{"a": 5}'
    (asked,) = api.engine.requests
    assert asked.guide.param.startswith("text.format")


async def test_a_schema_that_cannot_be_kept_is_refused_by_its_path(api: Api) -> None:
    format = {"type": "json_schema", "name": "answer", "schema": {"not": {"type": "string"}}, "strict": True}
    error = error_of(await api.http.post("/responses", json={"input": "Hi", "text": {"format": format}}))
    assert error["param"] == "text.format.schema/not"
