"""How a model speaks is read off its templates and its vocabulary."""

from __future__ import annotations

import pytest

from ovms_llm.messages import Thinking
from ovms_llm.speech.detection import recognise

QWEN = "{%- if tools %}<tools></tools>... <tool_call>\n{\"name\": ...}\n</tool_call>{%- endif %}{{ '<think>' }}</think>"


def test_a_template_that_writes_json_calls_in_tags_speaks_hermes() -> None:
    profile = recognise({"default": QWEN}, (), knows_tools=True, knows_effort=True)
    assert (profile.format, profile.knows_tools, profile.knows_effort) == ("hermes", True, True)
    assert "<tool_call>" in profile.reason
    assert profile.thinking == Thinking("<think>", "</think>")


@pytest.mark.parametrize(
    ("name", "template"),
    [
        (
            "hermes",
            'return a json object within <tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>',
        ),
        ("qwen3_coder", "<tool_call>\n<function=example_function_name>\n<parameter=example_parameter_1>\n</tool_call>"),
        ("devstral", "{{- '[TOOL_CALLS]' + tool['function']['name'] + '[ARGS]' + arguments }}"),
        ("mistral", "{{- '[TOOL_CALLS] [' }}{{- tool_call.function|tojson }}"),
        ("phi4", "{% if 'tools' in message %}{{ '<|tool|>' + message['tools'] + '<|/tool|>' }}{% endif %}"),
        ("llama3_json", 'Environment: ipython {\'{"name": function name, "parameters": ...}\'} <|python_tag|>'),
        ("llama_pythonic", "in the format of [func_name1(params_name1=params_value1...), func_name2(params)]"),
    ],
)
def test_a_family_is_known_by_its_template(name: str, template: str) -> None:
    assert recognise({"default": template}, (), knows_tools=True, knows_effort=False).format == name


def test_a_template_without_tools_speaks_generic() -> None:
    profile = recognise({"default": "{{ messages }}"}, ("<s>",), knows_tools=False, knows_effort=False)
    assert (profile.format, profile.thinking) == ("generic", None)
    assert profile.reason == "its chat template has no tools"


def test_tools_that_are_written_in_an_unknown_way_are_said_to_be() -> None:
    profile = recognise({"default": "{{ tools }}"}, (), knows_tools=True, knows_effort=False)
    assert (profile.format, profile.knows_tools) == ("generic", False)
    assert "no known way" in profile.reason


def test_the_operator_may_name_the_format() -> None:
    profile = recognise({"default": "{{ messages }}"}, (), knows_tools=False, knows_effort=False, named="hermes")
    assert (profile.format, profile.reason) == ("hermes", "set by options.speech_format")


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'parrot', which is no speech format: there are .*hermes"):
        recognise({}, (), knows_tools=False, knows_effort=False, named="parrot")


@pytest.mark.parametrize(
    "pair", [("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("<|START_THINKING|>", "<|END_THINKING|>")]
)
def test_marks_of_thoughts_are_found_in_the_vocabulary(pair: tuple[str, str]) -> None:
    profile = recognise({"default": "{{ messages }}"}, pair, knows_tools=False, knows_effort=False)
    assert profile.thinking == Thinking(*pair)
