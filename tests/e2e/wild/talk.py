"""Requests with tools and histories, good and bad."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.e2e.wild.request import CHAT, RESPONSES, Wild, chat, response
from tests.e2e.wild.schemas import any_schema, schema
from tests.e2e.wild.words import BAD_VALUES, WORDS, broken


def tools(chance: Random) -> Wild:
    functions = [_function(chance) for _ in range(chance.randint(0, 3))]
    named = chance.choice([function.get("name") for function in functions] or ["none"])
    flat = chance.random() < 0.3
    choice: Any = chance.choice(["auto", "required", "required", "none", "sometimes", {}, named, _named(named, flat)])
    tools = [{"type": "function", **each} if flat else {"type": "function", "function": each} for each in functions]
    fields: dict[str, Any] = {
        "tools": tools,
        "tool_choice": choice,
        "parallel_tool_calls": chance.choice([True, False]),
    }
    if chance.random() < 0.2:
        fields["tools"] = broken(chance, tools)
    if flat:
        return Wild("tools", RESPONSES, response(chance, **fields))
    if chance.random() < 0.15:
        fields = {"functions": functions, "function_call": chance.choice(["auto", "none", {"name": named}, 7])}
    return Wild("tools", CHAT, chat(chance, **fields))


def _named(name: Any, flat: bool) -> dict[str, Any]:
    return {"type": "function", "name": name} if flat else {"type": "function", "function": {"name": name}}


def _function(chance: Random) -> dict[str, Any]:
    name = chance.choice(
        ["paint", "paint", "leave", "get_weather", "a-b", "x" * 65, "", "naïve", "a b", '"', "</tool_call>"]
    )
    parameters, _ = any_schema(chance)
    if chance.random() < 0.6:
        parameters = {"type": "object", "properties": {"it": schema(chance, 2)}, "required": ["it"]}
    strict = {"strict": chance.choice([True, False])} if chance.random() < 0.5 else {}
    return {"name": name, "description": chance.choice(WORDS), "parameters": parameters, **strict}


def histories(chance: Random) -> Wild:
    roles = ("system", "developer", "user", "assistant", "tool", "function", "nobody")
    if chance.random() < 0.3:
        items = [_item(chance) for _ in range(chance.randint(1, 6))]
        return Wild("history", RESPONSES, response(chance, input=items, tools=[{"type": "function", **_paint()}]))
    messages = [
        _message(chance, chance.choice(roles[:5] if chance.random() < 0.9 else roles))
        for _ in range(chance.randint(1, 6))
    ]
    tools = [{"type": "function", "function": _paint()}]
    return Wild("history", CHAT, chat(chance, messages=messages, **({"tools": tools} if chance.random() < 0.6 else {})))


def _paint() -> dict[str, Any]:
    return {"name": "paint", "parameters": {"type": "object", "properties": {"colour": {"enum": ["red", "green"]}}}}


def _message(chance: Random, role: str) -> dict[str, Any]:
    contents: list[Any] = [
        *WORDS,
        None,
        [],
        [{"type": "text", "text": "Hm."}],
        [{"type": "text"}],
        7,
        "<tool_call>\n{",
    ]
    made: dict[str, Any] = {"role": role, "content": chance.choice(contents)}
    if role == "assistant" and chance.random() < 0.7:
        calls = [_call(chance) for _ in range(chance.randint(0, 3))]
        made |= {"tool_calls": broken(chance, calls) if chance.random() < 0.15 else calls}
    if role == "assistant" and chance.random() < 0.2:
        made |= {"reasoning_content": "Hm.</think>"}
    return made | ({"tool_call_id": chance.choice(["call_1", "call_2", "", 3])} if role == "tool" else {})


_ARGUMENTS = (
    "{}",
    '{"colour":"red"}',
    "",
    "{",
    "null",
    "[1]",
    '{"a":' * 400,
    '{"a":1e999}',
    '{"a":"\\ud800"}',
    "NaN",
    "红",
)


def _call(chance: Random) -> dict[str, Any]:
    function = {"name": chance.choice(["paint", "gone", ""]), "arguments": chance.choice(_ARGUMENTS)}
    return {"id": chance.choice(["call_1", "call_2", ""]), "type": "function", "function": function}


def _item(chance: Random) -> Any:
    items: list[Any] = [
        _message(chance, chance.choice(["user", "assistant", "system"])),
        {"type": "function_call", "call_id": "call_1", "name": "paint", "arguments": chance.choice(_ARGUMENTS)},
        {
            "type": "function_call_output",
            "call_id": chance.choice(["call_1", "call_9"]),
            "output": chance.choice(WORDS),
        },
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "item_reference", "id": "msg_0"},
        chance.choice(BAD_VALUES),
    ]
    return chance.choice(items)
