"""Models whose chat template knows no tools: the server tells them in its own words."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from typing import Any

from ovms_llm.speech.formats.hermes import Hermes
from ovms_llm.speech.functions.tools import Function

_HOW = (
    "You can call functions. They are, one a line:\n{functions}\n"
    "To call one, answer with this and nothing else, in JSON that fits its parameters:\n"
    '<tool_call>\n{{"name": "the function\'s name", "arguments": {{…}}}}\n</tool_call>\n'
    "You get the result in <tool_response>. Call no function where you can answer without."
)


class Generic(Hermes):
    """Calls as in the Hermes format, the commonest, asked for in a system message."""

    name = "generic"
    markers = ()

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """No model is made for it: it is what is left."""
        return None

    def instructions(self, functions: Sequence[Function]) -> str:
        """Short: it must fit small models."""
        return _HOW.format(functions="\n".join(map(_described, functions)))


def as_text(message: dict[str, Any]) -> dict[str, Any]:
    """A `message` of a conversation with its calls, or its function's result, written as text.

    For templates that know no tools. A result becomes a user's message, since they know no other role.
    """
    if message.get("role") == "tool":
        return {"role": "user", "content": f"<tool_response>\n{_content(message)}\n</tool_response>"}
    calls = message.get("tool_calls")
    if not calls:
        return message
    texts = [_content(message), *map(_call, calls)]
    rest = {key: value for key, value in message.items() if key != "tool_calls"}
    return rest | {"content": "\n".join(filter(None, texts))}


def _described(function: Function) -> str:
    about = {"name": function.name, "description": function.description, "parameters": function.parameters}
    return json.dumps({key: value for key, value in about.items() if value is not None}, ensure_ascii=False)


def _content(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content)
    return str(content)


def _call(call: dict[str, Any]) -> str:
    """`arguments` may be an object, as templates take it, or JSON text."""
    function = call["function"]
    arguments = function["arguments"]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return f'<tool_call>\n{{"name": {json.dumps(function["name"])}, "arguments": {text or "{}"}}}\n</tool_call>'
