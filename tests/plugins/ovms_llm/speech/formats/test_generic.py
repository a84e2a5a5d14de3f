"""Models whose templates know no tools are told of them in the server's words."""

from __future__ import annotations

import json

from tests.plugins.ovms_llm.speech.hearing import FUNCTIONS

from ovms_llm.speech.formats.generic import Generic, as_text
from ovms_llm.speech.formats.phi4 import Phi4


def test_instructions_are_short_and_name_every_function() -> None:
    text = Generic().instructions(FUNCTIONS)
    lines = [json.loads(line) for line in text.splitlines() if line.startswith('{"name": "') and "parameters" in line]
    assert [line["name"] for line in lines] == [function.name for function in FUNCTIONS]
    assert len(Generic().instructions(())) < 400


def test_calls_of_the_history_are_written_as_the_model_is_asked_to_write_them() -> None:
    calls = [
        {"id": "1", "type": "function", "function": {"name": "now", "arguments": {}}},
        {"id": "2", "type": "function", "function": {"name": "search", "arguments": '{"a": "é"}'}},
    ]
    message = as_text({"role": "assistant", "content": "Let me see.", "tool_calls": calls})
    assert message == {
        "role": "assistant",
        "content": 'Let me see.\n<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>\n'
        '<tool_call>\n{"name": "search", "arguments": {"a": "é"}}\n</tool_call>',
    }


def test_results_of_the_history_come_from_the_user() -> None:
    message = as_text({"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "sunny"}]})
    assert message == {"role": "user", "content": "<tool_response>\nsunny\n</tool_response>"}


def test_other_messages_stay_as_they_are() -> None:
    message = {"role": "assistant", "content": None, "reasoning_content": "hm"}
    assert as_text(message) is message


def test_phi_is_told_of_functions_as_its_own_template_would() -> None:
    text = Phi4().instructions(FUNCTIONS)
    described = json.loads(text.removeprefix("<|tool|>").removesuffix("<|/tool|>"))
    assert [each["name"] for each in described] == [function.name for function in FUNCTIONS]
