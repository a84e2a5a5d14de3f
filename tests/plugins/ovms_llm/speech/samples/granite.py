"""As Granite 3 writes, by its chat template."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

WEATHER = '{"name": "get_weather", "arguments": {"city": "Zürich 🌧"}}'

SAMPLES = (
    Sample("a <|tool| b <resp", "a <|tool| b <resp"),
    Sample(f"<|tool_call|>[{WEATHER}]", calls=[("get_weather", {"city": "Zürich 🌧"})], guided=True),
    Sample(
        f'<|tool_call|>[{WEATHER}, {{"name": "now", "arguments": {{}}}}]',
        calls=[("get_weather", {"city": "Zürich 🌧"}), ("now", {})],
        guided=True,
    ),
    Sample("<think>Hm.</think><response>Yes.</response>", said="Yes.", thought="Hm.", guided=True),
    Sample(
        f"<think>Hm.</think><response>I look.\n<|tool_call|>[{WEATHER}]</response>",
        said="I look.",
        thought="Hm.",
        calls=[("get_weather", {"city": "Zürich 🌧"})],
        guided=True,
    ),
    Sample(f"<tool_call>[{WEATHER}]", calls=[("get_weather", {"city": "Zürich 🌧"})]),
    Sample(f"<|tool_call|>[{WEATHER[:-1]}]", said=f"<|tool_call|>[{WEATHER[:-1]}]", malformed=True),
    Sample('<|tool_call|>[{"name": "get_w', said='<|tool_call|>[{"name": "get_w', finish_reason="length"),
)
