"""As Qwen 2.5, Qwen 3 and Hermes 3 write."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

SAMPLES = (
    Sample("It is sunny.", "It is sunny."),
    Sample("  Two\n\nlines \n", "  Two\n\nlines \n"),
    Sample("if a <tool and b < c: <tool_cal", "if a <tool and b < c: <tool_cal"),
    Sample(
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>',
        calls=[("get_weather", {"city": "Paris"})],
        guided=True,
    ),
    Sample(
        'Let me see.\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Zürich 🌧 \\"x\\" \\u00e9\\\\"}}\n'
        '</tool_call>\n<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>',
        said="Let me see.",
        calls=[("get_weather", {"city": 'Zürich 🌧 "x" é\\'}), ("now", {})],
        guided=True,
    ),
    Sample(
        '<think>\nI need\nthe time.\n</think>\n\n<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>\nDone.',
        said="\nDone.",
        thought="I need\nthe time.",
        calls=[("now", {})],
        guided=True,
    ),
    Sample(
        'Hm.\n</think>\n\n<tool_call>{"arguments": {"city": "</tool_call>"}, "name": "get_weather"}</tool_call>',
        thought="Hm.",
        calls=[("get_weather", {"city": "</tool_call>"})],
        channel="reasoning",
        guided=True,
    ),
    Sample(
        '<tool_call>\n{"name": "search", "arguments": "{\\"deep\\": {\\"a\\": [1, 2.5e3, null]}}"}\n</tool_call>',
        calls=[("search", {"deep": {"a": [1, 2500.0, None]}})],
        guided=True,
    ),
    Sample('<tool_call>\n{"name": "now"}\n</tool_call>', calls=[("now", {})]),
    Sample('<tool_call>\n{"name": "now", "arguments": {}}', calls=[("now", {})]),
    Sample(
        'A <tool_call>\n{"name": "now", "arguments": {"a": }}\n</tool_call>',
        said='A <tool_call>\n{"name": "now", "arguments": {"a": }}\n</tool_call>',
        malformed=True,
    ),
    Sample(
        '<tool_call>{"name": "fly", "arguments": {}}</tool_call>',
        said='<tool_call>{"name": "fly", "arguments": {}}</tool_call>',
        malformed=True,
    ),
    Sample(
        '<tool_call>{"name": "now</tool_call><tool_call>{"name": "now", "arguments": {}}</tool_call>',
        said='<tool_call>{"name": "now</tool_call>',
        calls=[("now", {})],
        malformed=True,
    ),
    Sample(
        '<tool_call>\n{"name": "get_weather", "argum',
        said='<tool_call>\n{"name": "get_weather", "argum',
        finish_reason="length",
    ),
)
