"""What chat templates make use of: tools, and a wish for more or less reasoning."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, Final

from jinja2 import Environment, TemplateSyntaxError
from jinja2.meta import find_undeclared_variables

from ovms_core.engine import RequestError
from ovms_llm.messages import Chat
from ovms_llm.prompt.templates import ChatTemplate

EFFORT: Final = frozenset({"enable_thinking", "reasoning_effort", "thinking"})
"""Variables by which templates are told how much the model is to think."""

_NAME: Final = "probe_tool_7"
_SAID: Final = "told-7"
_TOOL: Final[dict[str, Any]] = {
    "type": "function",
    "function": {
        "name": _NAME,
        "description": "Nothing.",
        "parameters": {"type": "object", "properties": {"x": {"type": "string", "description": "Nothing."}}},
    },
}
_CONVERSATIONS: Final[tuple[list[dict[str, Any]], ...]] = (
    [{"role": "user", "content": "asked"}],
    [{"role": "system", "content": _SAID}, {"role": "user", "content": "asked"}],
)
# Marks of transformers' own, which say what an assistant generated.
_GENERATION: Final = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")


def knows_tools(template: ChatTemplate) -> bool:
    """Whether a prompt shows the tools that come with its conversation."""
    for messages in _CONVERSATIONS:
        with suppress(RequestError):
            if _NAME in template.render(Chat(messages, tools=[_TOOL])):
                return True
    return False


def knows_system(template: ChatTemplate) -> bool:
    """Whether a prompt shows what the system says; Gemma 2's template, for one, refuses it."""
    with suppress(RequestError):
        return _SAID in template.render(Chat(_CONVERSATIONS[1]))
    return False


def knows_effort(template: ChatTemplate) -> bool:
    """Whether one of the templates reads a variable of `EFFORT`."""
    return any(EFFORT & _variables(text) for text in template.templates.values())


def _variables(template: str) -> set[str]:
    """The variables that `template` reads; for one that Jinja cannot parse, the words in it."""
    environment = Environment(extensions=["jinja2.ext.loopcontrols"])
    try:
        return find_undeclared_variables(environment.parse(_GENERATION.sub("", template)))
    except TemplateSyntaxError:
        return set(re.findall(r"(?<![\w.])[a-z_]+", template))
