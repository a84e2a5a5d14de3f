"""What is found out about chat templates."""

from __future__ import annotations

from typing import Any

import pytest

from ovms_llm.messages import Chat
from ovms_llm.prompt.template_facts import knows_effort, knows_system, knows_tools
from ovms_llm.prompt.templates import ChatTemplate

PLAIN = "{% for m in messages %}{{ m.content }}{% endfor %}"
TOOLS = "{% if tools %}{% for tool in tools %}{{ tool | tojson }}{% endfor %}{% endif %}" + PLAIN
NEEDS_SYSTEM = "{% if messages[0].role != 'system' %}{{ raise_exception('no system') }}{% endif %}" + TOOLS
USER: list[dict[str, Any]] = [{"role": "user", "content": "Hello"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}


def template_of(text: str, **named: str) -> ChatTemplate:
    return ChatTemplate({"default": text, **named}, {}, lambda *arguments: "")


@pytest.mark.parametrize(
    ("text", "knows"), [(PLAIN, False), (TOOLS, True), (NEEDS_SYSTEM, True), ("{{ nothing.x.y }}", False)]
)
def test_a_template_knows_tools_if_it_shows_them(text: str, knows: bool) -> None:
    assert knows_tools(template_of(text)) is knows


@pytest.mark.parametrize(
    ("text", "knows"),
    [
        (PLAIN, True),
        ("{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + PLAIN, False),
        ("{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}", False),
    ],
)
def test_a_template_takes_a_system_message_if_it_shows_it(text: str, knows: bool) -> None:
    assert knows_system(template_of(text)) is knows


def test_the_template_for_tools_is_used_when_there_are_tools() -> None:
    template = template_of(PLAIN, tool_use="{{ tools[0].function.name }} for " + PLAIN)
    assert knows_tools(template)
    assert template.render(Chat(USER, tools=[TOOL])) == "f for Hello"
    assert template.render(Chat(USER)) == "Hello"


@pytest.mark.parametrize(
    ("text", "knows"),
    [
        (PLAIN, False),
        ("{{ messages[0].thinking }}{% set thinking_aloud = 1 %}", False),
        ("{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}", True),
        ("{% if not thinking is defined %}{% set thinking = false %}{% endif %}{{ thinking }}", True),
        (
            "{% generation %}{{ reasoning_effort }}{% endgeneration %}{% for m in messages %}{% break %}{% endfor %}",
            True,
        ),
        ("{% unknown %}{{ reasoning_effort }}", True),
        ("{% unknown %}{{ m.reasoning_effort }}", False),
    ],
)
def test_a_template_knows_effort_if_it_reads_a_variable_for_it(text: str, knows: bool) -> None:
    assert knows_effort(template_of(text)) is knows
