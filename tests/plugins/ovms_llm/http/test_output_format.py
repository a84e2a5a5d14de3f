from __future__ import annotations

import json
from typing import Any

import pytest
from tests.plugins.ovms_llm.http.conftest import Server, chunks_of, error_of, frames_of, joined

from ovms_llm.fields.output_format import OutputFormat
from ovms_llm.grammar.guides import Output
from ovms_llm.http.chat import ChatBody
from ovms_llm.messages import Delta, Started
from ovms_llm.responses.body import ResponsesBody

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
LOOSE = {"type": "object", "properties": {"a": {"not": {"const": 1}}}, "required": ["a"]}
TAG = {"type": "tag", "begin": "<a>", "content": {"type": "regex", "pattern": "b+"}, "end": "</a>"}
STRUCTURAL = {"type": "structural_tag", "format": TAG}
NAMED = {"name": "n", "description": "d", "schema": SCHEMA, "strict": True}

SAID: list[tuple[dict[str, Any], OutputFormat | None]] = [
    ({}, None),
    ({"response_format": {"type": "text"}, "structured_outputs": {"json": None}}, None),
    ({"response_format": {"type": "json_object"}}, OutputFormat("response_format", Output("json_object"))),
    (
        {"response_format": {"type": "json_schema", "json_schema": NAMED}},
        OutputFormat("response_format.json_schema.schema", Output("json_schema", SCHEMA)),
    ),
    (
        {"response_format": {"type": "json_schema", "json_schema": NAMED | {"strict": False}}},
        OutputFormat("response_format.json_schema.schema", Output("json_schema", SCHEMA, False)),
    ),
    (
        {"response_format": {"type": "json_schema", "json_schema": SCHEMA}},
        OutputFormat("response_format.json_schema", Output("json_schema", SCHEMA)),
    ),
    (
        {"response_format": {"type": "json_object", "schema": SCHEMA}},
        OutputFormat("response_format.schema", Output("json_schema", SCHEMA)),
    ),
    (
        {"response_format": {"type": "regex", "pattern": "a"}},
        OutputFormat("response_format.pattern", Output("regex", "a")),
    ),
    ({"response_format": {"type": "regex", "regex": "a"}}, OutputFormat("response_format.regex", Output("regex", "a"))),
    ({"response_format": STRUCTURAL}, OutputFormat("response_format", Output("structural_tag", STRUCTURAL))),
    ({"response_format": TAG}, OutputFormat("response_format", Output("structural_tag", TAG))),
    (
        {"structured_outputs": {"json": json.dumps(SCHEMA)}},
        OutputFormat("structured_outputs.json", Output("json_schema", SCHEMA)),
    ),
    (
        {"structured_outputs": {"json_object": True}},
        OutputFormat("structured_outputs.json_object", Output("json_object", True)),
    ),
    (
        {"structured_outputs": {"choice": ["a", "b"]}},
        OutputFormat("structured_outputs.choice", Output("choice", ["a", "b"])),
    ),
    ({"guided_json": SCHEMA}, OutputFormat("guided_json", Output("json_schema", SCHEMA))),
    ({"guided_regex": "a+"}, OutputFormat("guided_regex", Output("regex", "a+"))),
    ({"guided_choice": ["a"]}, OutputFormat("guided_choice", Output("choice", ["a"]))),
    ({"guided_grammar": 'root ::= "a"'}, OutputFormat("guided_grammar", Output("grammar", 'root ::= "a"'))),
    ({"json_schema": SCHEMA}, OutputFormat("json_schema", Output("json_schema", SCHEMA))),
    ({"grammar": 'root ::= "a"'}, OutputFormat("grammar", Output("grammar", 'root ::= "a"'))),
]


@pytest.mark.parametrize(("fields", "output"), SAID)
def test_every_server_s_fields_are_understood(fields: dict[str, Any], output: OutputFormat | None) -> None:
    assert ChatBody.model_validate({"messages": [{"role": "user", "content": "Hi"}], **fields}).output == output


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"response_format": {"type": "xml"}}, "response_format.type", "must be one of text"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "needs 'json_schema'"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}},
        "response_format.json_schema.schema",
        "missing",
    ),
    (
        {"response_format": {"type": "json_schema", "json_schema": NAMED | {"strict": "yes"}}},
        "response_format.json_schema.strict",
        "true or false",
    ),
    ({"guided_json": "{"}, "guided_json", "not a JSON schema"),
    ({"guided_choice": []}, "guided_choice", "different strings"),
    ({"guided_choice": ["a", "a"]}, "guided_choice", "different strings"),
    ({"guided_regex": 5}, "guided_regex", "must be a string"),
    ({"guided_regex": "a", "guided_json": SCHEMA}, "guided_regex", "'guided_json' and 'guided_regex' exclude"),
    (
        {"response_format": {"type": "json_object"}, "structured_outputs": {"regex": "a"}},
        "structured_outputs.regex",
        "exclude each other",
    ),
    ({"guided_regex": "a(?=b)"}, "guided_regex", "at position 1 a lookahead"),
    ({"guided_grammar": "root ::= ["}, "guided_grammar", "line 1, column 10"),
    ({"grammar": "start: WORD"}, "grammar", "Lark"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": LOOSE}}},
        "response_format.json_schema.schema/properties/a/not",
        "not",
    ),
    ({"response_format": TAG | {"content": {"type": "star"}}}, "response_format/content/type", "star"),
    ({"guided_regex": "a", "ignore_eos": True}, "ignore_eos", "does not go with"),
    ({"guided_regex": "a", "min_tokens": 5}, "min_tokens", "does not go with"),
]


@pytest.mark.parametrize(("fields", "param", "said"), REFUSED)
async def test_what_cannot_be_enforced_is_refused_at_its_path(
    server: Server, fields: dict[str, Any], param: str, said: str
) -> None:
    error = error_of(await server.chat(**fields))
    assert error["param"] == param
    assert said in error["message"]
    assert not server.runner.requests


async def test_the_engine_gets_the_guide_and_a_seed(server: Server) -> None:
    server.says('{"a":', "1}")
    answer = await server.chat(guided_json=SCHEMA, stop="}")
    assert answer.json()["choices"][0]["message"]["content"] == '{"a":1}'
    assert answer.headers["x-ignored-params"] == "stop"
    guide = server.asked.guide
    assert (guide.param, guide.format["type"]) == ("guided_json", "grammar")
    assert guide.format["grammar"].startswith("root ::= ")
    assert server.asked.sampling.seed is not None


async def test_what_is_not_enforced_is_named_and_yet_checked(server: Server) -> None:
    server.says('{"a": 2}')
    form = {"type": "json_schema", "json_schema": {"schema": LOOSE, "strict": False}}
    answer = await server.chat(response_format=form)
    assert answer.status_code == 200
    assert answer.headers["x-ignored-params"] == "response_format.json_schema.schema/properties/a/not"
    server.says('{"a": 1}')
    answer = await server.chat(response_format=form)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "invalid_output")


@pytest.mark.parametrize(
    "fields",
    [{"guided_json": SCHEMA}, {"guided_choice": ["yes", "no"]}, {"response_format": {"type": "json_object"}}],
)
async def test_a_text_that_does_not_fit_never_looks_finished(server: Server, fields: dict[str, Any]) -> None:
    server.says('{"b"', ":1")
    answer = await server.chat(**fields)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "invalid_output")
    *_, last = frames_of(await server.chat(stream=True, **fields))
    assert json.loads(last)["error"]["code"] == "invalid_output"


async def test_an_answer_that_was_cut_may_be_incomplete(server: Server) -> None:
    server.says('{"a"', finish_reason="length")
    assert (await server.chat(guided_json=SCHEMA)).json()["choices"][0]["finish_reason"] == "length"


async def test_every_choice_is_checked_and_streams(server: Server) -> None:
    server.says("y", "es")
    chunks = chunks_of(await server.chat(guided_choice=["yes", "no"], n=2, stream=True))
    assert [joined(chunks, index) for index in (0, 1)] == ["yes", "yes"]


async def test_completions_are_guided_as_well_behind_their_echo(server: Server) -> None:
    def script(request: Any) -> Any:
        return [Started(1, None, request.prompt.text), Delta(0, "yes", [1]), Delta(0, "", [2], None, "stop")]

    server.runner.script = script
    answer = await server.complete(guided_choice=["yes", "no"], echo=True)
    assert answer.json()["choices"][0]["text"] == "Hiyes"


async def test_tools_and_a_form_go_together(server: Server) -> None:
    server.speaks("hermes", knows_tools=True)
    server.says('{"a": 1}')
    tool = {"type": "function", "function": {"name": "clock"}}
    answer = await server.chat(guided_json=SCHEMA, tools=[tool])
    assert answer.json()["choices"][0]["message"]["content"] == '{"a": 1}'
    assert server.asked.guide.format["type"] == "or"


async def test_how_a_grammar_is_enforced_is_not_for_clients_to_say(server: Server) -> None:
    server.says("a")
    answer = await server.chat(structured_outputs={"regex": "a", "disable_fallback": True}, guided_decoding_backend="x")
    assert answer.headers["x-ignored-params"] == "guided_decoding_backend, structured_outputs.disable_fallback"


def function(strict: bool, **schema: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"a": schema}}
    return {"type": "function", "function": {"name": f"f_{strict}", "parameters": parameters, "strict": strict}}


async def test_a_strict_function_that_cannot_be_enforced_is_refused_at_its_path(server: Server) -> None:
    server.speaks("hermes", knows_tools=True)
    tools = [function(False, type="string"), function(True, **{"not": {"const": 1}})]
    error = error_of(await server.chat(tools=tools, tool_choice="required"))
    assert error["param"] == "tools[1].function.parameters/properties/a/not"


async def test_a_function_that_is_not_strict_and_too_large_takes_any_object(server: Server) -> None:
    server.speaks("hermes", knows_tools=True)
    server.says('<tool_call>\n{"name": "f_False", "arguments": {}}\n</tool_call>')
    large = function(False, enum=[f"{number:09}" for number in range(20_000)])
    answer = await server.chat(tools=[large], tool_choice="required")
    assert answer.headers["x-ignored-params"] == "tools[0].function.parameters"
    assert "000000001" not in server.asked.guide.format["grammar"]


def test_responses_say_it_in_their_text_format() -> None:
    format = {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}
    body = ResponsesBody.model_validate({"input": "Hi", "text": {"format": format}})
    assert body.output == OutputFormat("text.format.schema", Output("json_schema", SCHEMA))
