"""Functions that a model may call."""

from __future__ import annotations

import json
from typing import Any, Final

from ovms_conformance.feature import Group, Target, expect, expect_fully, skip
from ovms_conformance.features.text.asking import PATH, ask, ask_streaming, choices, question, said
from ovms_conformance.features.text.shaping import COLOUR
from ovms_core.command import Stream

tools = Group("Tools", needs="chat_model")

_TOKENS: Final = 128


def _tool(name: str, parameters: dict[str, Any] = COLOUR, **more: Any) -> dict[str, Any]:
    function = {"name": name, "description": f"{name.title()} the wall in a colour", "parameters": parameters}
    return {"type": "function", "function": {**function, **more}}


def _named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


_PAINT: Final = _tool("paint")
_FORCED: Final = {"tools": [_PAINT], "tool_choice": _named("paint"), "max_tokens": _TOKENS}
_WISH: Final = "Paint the wall red."


def _calls(document: Any) -> list[Any]:
    """The calls of an answer, of which there is one at least."""
    calls: list[Any] = document["choices"][0]["message"].get("tool_calls") or []
    expect(calls, "there is no tool call")
    return calls


def _expect_paints(function: Any, *names: str) -> None:
    """A function that is called is one of `names`, with arguments of its schema."""
    expect(function["name"] in names, f"another tool is called: {function['name']!r}")
    expect(json.loads(function["arguments"])["colour"] in {"red", "green"}, "the arguments are wrong")


def _joined(stream: Stream) -> list[dict[str, str]]:
    """The calls of a stream, put together from their pieces."""
    calls: dict[int, dict[str, str]] = {}
    for choice in choices(stream):
        for piece in choice["delta"].get("tool_calls") or []:
            call = calls.setdefault(piece["index"], {"id": "", "name": "", "arguments": ""})
            call["id"] += piece.get("id") or ""
            call["name"] += piece["function"].get("name") or ""
            call["arguments"] += piece["function"].get("arguments") or ""
    expect(calls, "there is no tool call")
    return [calls[index] for index in range(len(calls))]


@tools.feature
def tools_offered(target: Target) -> None:
    """`tools` are taken; whether one is called is the model's choice."""
    message = ask(target, _WISH, tools=[_PAINT])["choices"][0]["message"]
    expect(message.get("content") or message.get("tool_calls"), "the answer is empty")


@tools.feature
def forced_tool_call(target: Target) -> None:
    """`tool_choice` can name the tool; the answer is then a call with arguments of its schema."""
    document = ask(target, _WISH, **_FORCED)
    call, choice = _calls(document)[0], document["choices"][0]
    _expect_paints(call["function"], "paint")
    expect_fully(call["id"] and call["type"] == "function", "the call has no id, or another type")
    expect_fully(not choice["message"].get("content"), "there is content beside the call")
    expect_fully(choice["finish_reason"] in {"tool_calls", "stop"}, f"finish_reason is {choice['finish_reason']!r}")


@tools.feature
def forced_tool_call_in_a_stream(target: Target) -> None:
    """Tool calls stream: the id and the name first, then the arguments in pieces."""
    received = choices(ask_streaming(target, _WISH, **_FORCED))
    pieces = [call for choice in received for call in choice["delta"].get("tool_calls") or []]
    expect(pieces, "there is no tool call")
    expect(pieces[0]["function"]["name"] == "paint", "the first piece has no name")
    expect_fully(pieces[0].get("id"), "the first piece has no id")
    expect_fully(not any(piece["function"].get("name") for piece in pieces[1:]), "the name comes again")
    expect_fully(received[-1]["finish_reason"] in {"tool_calls", "stop"}, "finish_reason is another")


@tools.feature
def joined_pieces_are_the_call(target: Target) -> None:
    """The pieces of a call in a stream make the call of the answer in one piece, and none of it is content."""
    stream = ask_streaming(target, _WISH, **_FORCED)
    joined, whole = _joined(stream)[0], _calls(ask(target, _WISH, **_FORCED))[0]
    _expect_paints(joined, "paint")
    same = (joined["name"], joined["arguments"]) == (whole["function"]["name"], whole["function"]["arguments"])
    expect_fully(same, "the call in one piece is another")
    expect_fully(not any(choice["delta"].get("content") for choice in choices(stream)), "there is content too")


@tools.feature
def required_tool_call(target: Target) -> None:
    """`tool_choice: required` gives a call of any of the tools, with arguments of its schema."""
    fields = {"tools": [_tool("clean"), _PAINT], "tool_choice": "required", "max_tokens": _TOKENS}
    _expect_paints(_calls(ask(target, _WISH, **fields))[0]["function"], "clean", "paint")


@tools.feature
def no_tool_call(target: Target) -> None:
    """`tool_choice: none` gives text, although there are tools."""
    message = ask(target, _WISH, tools=[_PAINT], tool_choice="none")["choices"][0]["message"]
    expect(not message.get("tool_calls"), "there is a tool call")
    expect(message.get("content"), "the answer is empty")


@tools.feature
def allowed_tools(target: Target) -> None:
    """`tool_choice` can allow some of the tools only."""
    allowed = {"mode": "required", "tools": [_named("paint")]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    fields = {"tools": [_tool("clean"), _PAINT], "tool_choice": choice, "max_tokens": _TOKENS}
    _expect_paints(_calls(ask(target, _WISH, **fields))[0]["function"], "paint")


@tools.feature
def one_tool_call_at_a_time(target: Target) -> None:
    """`parallel_tool_calls: false` gives one call at most."""
    fields = {"tools": [_PAINT], "tool_choice": "required", "parallel_tool_calls": False, "max_tokens": _TOKENS}
    count = len(_calls(ask(target, "Paint one wall red and one wall green.", **fields)))
    expect(count == 1, f"{count} calls instead of 1")


@tools.feature
def parallel_tool_calls(target: Target) -> None:
    """Several calls in one answer have numbers, and ids of their own."""
    fields = {"tools": [_PAINT], "tool_choice": "required", "parallel_tool_calls": True, "max_tokens": 96}
    calls = _joined(ask_streaming(target, "Call paint twice: once with red, and once with green.", **fields))
    if len(calls) < 2:
        skip("the model made one call only")
    expect(len({call["id"] for call in calls}) == len(calls), "ids come twice")
    for call in calls[:-1]:  # the last may be cut
        _expect_paints(call, "paint")


@tools.feature
def tool_messages(target: Target) -> None:
    """The history may hold calls and, in messages of the role `tool`, what came of them, as text or parts."""
    call = {"id": "call_1", "type": "function", "function": {"name": "paint", "arguments": '{"colour":"red"}'}}
    other = {**call, "id": "call_2"}
    messages = [
        {"role": "user", "content": _WISH},
        {"role": "assistant", "content": None, "tool_calls": [call, other]},
        {"role": "tool", "tool_call_id": "call_1", "content": "The wall is red now."},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "So is the other."}]},
    ]
    message = ask(target, messages=messages, tools=[_PAINT], tool_choice="auto")["choices"][0]["message"]
    expect(message.get("content") or message.get("tool_calls"), "the answer is empty")


@tools.feature
def streamed_text_beside_tools(target: Target) -> None:
    """Where a model may call and does not, its text streams as ever."""
    received = choices(ask_streaming(target, "Say hello.", tools=[_PAINT], tool_choice="auto"))
    if any(choice["delta"].get("tool_calls") for choice in received):
        skip("the model called")
    pieces = [choice["delta"]["content"] for choice in received if choice["delta"].get("content")]
    expect(pieces, "the answer is empty")
    expect_fully(len(pieces) > 2, "the text comes in one piece")


@tools.feature
def tool_without_parameters(target: Target) -> None:
    """A function may have no `parameters`; its arguments are then an object."""
    tool = {"type": "function", "function": {"name": "leave"}}
    fields = {"tools": [tool], "tool_choice": _named("leave"), "max_tokens": _TOKENS}
    function = _calls(ask(target, "Go.", **fields))[0]["function"]
    expect(isinstance(json.loads(function["arguments"]), dict), "the arguments are no object")


@tools.feature
def unknown_tool_choice(target: Target) -> None:
    """A `tool_choice` that names no tool is a 400 that names the field in `param`."""
    answer = target.server.send_json(PATH, question(target, _WISH, tools=[_PAINT], tool_choice=_named("fly")))
    expect(answer.status == 400, f"{answer.status} instead of 400")
    expect_fully("tool_choice" in str(answer.json()["error"].get("param")), "param does not name it")


@tools.feature
def bad_parameters_are_refused(target: Target) -> None:
    """Parameters that are no schema are a 400 with the number of the tool, and harm nobody else."""
    bad = _tool("paint", {"type": "object", "properties": {"colour": {"type": "no such type"}}}, strict=True)
    answer = target.server.send_json(PATH, question(target, _WISH, tools=[_PAINT, bad], tool_choice="required"))
    ask(target)
    expect(answer.status >= 400, f"{answer.status} instead of 400")
    expect_fully(answer.status == 400, f"{answer.status} instead of 400")
    place = f"{answer.json()['error'].get('param')} {answer.message}"
    expect_fully("tools[1]" in place or "tools.1" in place, "it does not say which")


@tools.feature
def functions_of_old(target: Target) -> None:
    """`functions` and `function_call`, the older names, still give a `function_call`."""
    fields = {"functions": [_PAINT["function"]], "function_call": {"name": "paint"}, "max_tokens": _TOKENS}
    document = ask(target, _WISH, **fields)
    function = document["choices"][0]["message"].get("function_call")
    if function is None:
        _expect_paints(_calls(document)[0]["function"], "paint")
    expect_fully(function is not None, "the call is in tool_calls")
    _expect_paints(function, "paint")


@tools.feature
def schema_beside_tools(target: Target) -> None:
    """`tools` and `response_format` go together: text is of the schema, a call of its own."""
    schema = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": COLOUR}}
    fields = {"tools": [_PAINT], "tool_choice": "auto", "response_format": schema, "max_tokens": _TOKENS}
    document = ask(target, "Which colour has grass?", **fields)
    if document["choices"][0]["message"].get("tool_calls"):
        _expect_paints(_calls(document)[0]["function"], "paint")
        return
    expect(json.loads(said(document))["colour"] in {"red", "green"}, "the answer is not of the schema")
