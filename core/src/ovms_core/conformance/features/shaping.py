"""Answers of a form that was asked for: JSON and tool calls."""

from __future__ import annotations

import json
from typing import Any, Final

from ovms_core.conformance.feature import Group, Target, expect, expect_fully, skip
from ovms_core.conformance.features.asking import PATH, ask, ask_streaming, choices, question, said

shaping = Group("Structured answers", needs="chat_model")

_COLOUR: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["red", "green"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
_TOOL: Final[dict[str, Any]] = {
    "type": "function",
    "function": {"name": "paint", "description": "Paint the wall in a colour", "parameters": _COLOUR},
}
_FORCED: Final = {"type": "function", "function": {"name": "paint"}}
_WISH: Final = "Paint the wall red."


def _of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


@shaping.feature
def json_mode(target: Target) -> None:
    """`response_format: json_object` gives a JSON object."""
    text = said(ask(target, "A person as JSON.", response_format={"type": "json_object"}, max_tokens=64))
    expect(text.lstrip().startswith("{"), f"the answer begins with {text[:12]!r}")


@shaping.feature
def json_schema(target: Target) -> None:
    """`response_format: json_schema` gives JSON of that schema."""
    document = json.loads(said(ask(target, "Which colour has grass?", response_format=_of(_COLOUR), max_tokens=64)))
    expect(document.get("colour") in {"red", "green"}, "the answer is not of the schema")


@shaping.feature
def bad_schema_is_refused(target: Target) -> None:
    """A schema that is none is a 400, and harms nobody else."""
    if target.server.send_json(PATH, question(target, response_format=_of(_COLOUR))).status != 200:
        skip("no schema is taken")
    status = target.server.send_json(PATH, question(target, response_format=_of({"type": "no such type"}))).status
    ask(target)
    expect(status >= 400, f"{status} instead of 400")
    expect_fully(status == 400, f"{status} instead of 400")


@shaping.feature
def tools(target: Target) -> None:
    """`tools` are taken; whether one is called is the model's choice."""
    message = ask(target, _WISH, tools=[_TOOL])["choices"][0]["message"]
    expect(message.get("content") or message.get("tool_calls"), "the answer is empty")


@shaping.feature
def forced_tool_call(target: Target) -> None:
    """`tool_choice` can name the tool; the answer is then a call with arguments of its schema."""
    choice = ask(target, _WISH, tools=[_TOOL], tool_choice=_FORCED, max_tokens=64)["choices"][0]
    calls = choice["message"].get("tool_calls")
    expect(calls, "there is no tool call")
    expect(calls[0]["function"]["name"] == "paint", "another tool is called")
    expect(json.loads(calls[0]["function"]["arguments"])["colour"] in {"red", "green"}, "the arguments are wrong")
    expect_fully(choice["finish_reason"] in {"tool_calls", "stop"}, f"finish_reason is {choice['finish_reason']!r}")


@shaping.feature
def forced_tool_call_in_a_stream(target: Target) -> None:
    """Tool calls stream: the name first, then the arguments in pieces."""
    received = choices(ask_streaming(target, _WISH, tools=[_TOOL], tool_choice=_FORCED, max_tokens=64))
    calls = [call for choice in received for call in choice["delta"].get("tool_calls") or []]
    expect(calls, "there is no tool call")
    expect(calls[0]["function"]["name"] == "paint", "the first piece has no name")
    arguments = "".join(call["function"].get("arguments") or "" for call in calls)
    expect("colour" in json.loads(arguments), "the arguments are wrong")


@shaping.feature
def required_tool_call(target: Target) -> None:
    """`tool_choice: required` gives a call of any of the tools."""
    choice = ask(target, _WISH, tools=[_TOOL], tool_choice="required", max_tokens=64)["choices"][0]
    expect(choice["message"].get("tool_calls"), "there is no tool call")
