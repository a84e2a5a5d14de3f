"""Every family's chat template is recognised, and no other's is taken for it."""

from __future__ import annotations

from typing import Any

import pytest

from ovms_llm.messages import Thinking
from ovms_llm.speech.detection import recognise
from ovms_llm.speech.registry import formats

GRANITE = "{{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' }}"
DEEPSEEK = "{{'<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>' + tool['type'] + '<｜tool▁sep｜>' + name"
TEMPLATES = {
    "gpt_oss": '{{- "<|start|>assistant<|channel|>analysis<|message|>" + message.thinking + "<|end|>" }}',
    "deepseek": DEEPSEEK + " + '\\n' + '```json' + '\\n' + arguments + '```' + '<｜tool▁call▁end｜>'}}",
    "deepseek_v31": DEEPSEEK + " + arguments + '<｜tool▁call▁end｜>'}}</think>",
    "granite": GRANITE + " When a tool is required, respond only with <|tool_call|> followed by a JSON list <think>",
    "granite32": GRANITE + " <|tool_call|> Write your thoughts after 'Here is my thought process:' and your response",
    "granite4": GRANITE + ' <tool_call>\n{"name": <function-name>}\n</tool_call>',
    "gemma": "{{ '<start_of_turn>' + role + '\n' }}",
    "functiongemma": "{{ '<start_of_turn>' }} <start_function_call>call: <escape>",
    "gemma4": "{{- '<|turn>' + role }} {{- '<|tool_call>call:' + function['name'] + '{' -}} <|channel>",
    "lfm2": '{{- "<|tool_call_start|>[" + (tool_calls | join(", ")) + "]<|tool_call_end|>" -}}',
    "minicpm": "answer in this format: <|thought_start|> <|thought_end|> <|tool_call_start|>\n```python\nfunc1(a=b)",
    "glm": "[gMASK]<sop> <tool_call>{function-name}\n<arg_key>{arg-key-1}</arg_key>\n</tool_call><think></think>",
    "glm4": "[gMASK]<sop>{% for item in messages %}<|observation|>\n{{ item.content }}",
    "hermes": '<tools></tools> <tool_call>\n{"name": <function-name>, "arguments": <args>}\n</tool_call>',
    "generic": "<|im_start|>{{ tools }}<|im_end|>",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_family_is_told_by_its_template(name: str) -> None:
    assert recognise({"default": TEMPLATES[name]}, (), knows_tools=True, knows_effort=True).format == name


@pytest.mark.parametrize("name", ["deepseek", "deepseek_v31", "gemma"])
def test_a_family_whose_template_knows_no_tools_is_told_how_to_call(name: str) -> None:
    assert recognise({"default": TEMPLATES[name]}, (), knows_tools=False, knows_effort=False).format == name


@pytest.mark.parametrize(
    ("name", "thinking"),
    [
        ("gpt_oss", Thinking("<|channel|>analysis<|message|>", "<|end|><|start|>assistant")),
        ("deepseek_v31", Thinking("<think>", "</think>")),
        ("granite32", Thinking("Here is my thought process:", "Here is my response:")),
        ("gemma4", Thinking("<|channel>thought", "<channel|>")),
        ("minicpm", Thinking("<|thought_start|>", "<|thought_end|>")),
        ("glm", Thinking("<think>", "</think>")),
        ("lfm2", None),
    ],
)
def test_a_family_thinks_in_its_own_marks(name: str, thinking: Thinking | None) -> None:
    assert recognise({"default": TEMPLATES[name]}, (), knows_tools=True, knows_effort=True).thinking == thinking


@pytest.mark.parametrize(
    ("name", "effort", "variables"),
    [
        ("gpt_oss", "none", {"reasoning_effort": "low"}),
        ("gpt_oss", "medium", {"reasoning_effort": "medium"}),
        ("gpt_oss", "xhigh", {"reasoning_effort": "high"}),
        ("granite", "none", {"thinking": False}),
        ("granite", "low", {"thinking": True}),
        ("deepseek_v31", "high", {"thinking": True, "enable_thinking": True}),
        ("gemma4", "none", {"enable_thinking": False}),
    ],
)
def test_a_template_is_told_the_effort_in_its_own_words(name: str, effort: str, variables: dict[str, Any]) -> None:
    assert formats()[name].template_variables(effort) == variables
