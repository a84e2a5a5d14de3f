"""As Phi-4-mini writes."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

SAMPLES = (
    Sample("Plain <|tool and funct", "Plain <|tool and funct"),
    Sample(
        '<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Zürich ]"}}, {"name": "now", "arguments": {}}]'
        "<|/tool_call|>",
        calls=[("get_weather", {"city": "Zürich ]"}), ("now", {})],
        guided=True,
    ),
    Sample(
        'Hm.\n<|tool_call|>[{"name": "now", "arguments": {}}]<|/tool_call|>\nYes.',
        said="Hm.\nYes.",
        calls=[("now", {})],
        guided=True,
    ),
    Sample(
        'functools[{"name": "search", "arguments": {"a": ["]", 1]}}]', calls=[("search", {"a": ["]", 1]})], guided=True
    ),
    Sample("<|tool_call|>[{]<|/tool_call|>", "<|tool_call|>[{]<|/tool_call|>", malformed=True),
    Sample('<|tool_call|>[{"name": "now"', '<|tool_call|>[{"name": "now"', finish_reason="length"),
)
