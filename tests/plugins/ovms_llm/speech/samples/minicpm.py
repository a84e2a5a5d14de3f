"""As MiniCPM 3 and 4 write, by their chat templates."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

BEGIN, END = "<|tool_call_start|>\n```python\n", "\n```\n<|tool_call_end|>"

SAMPLES = (
    Sample("```python\nprint(1)\n```", "```python\nprint(1)\n```"),
    Sample(
        "<|thought_start|>\nI need the weather.\n<|thought_end|>\n"
        f'{BEGIN}get_weather(city="上海", days=2)\nnow(){END}\n',
        thought="I need the weather.",
        calls=[("get_weather", {"city": "上海", "days": 2}), ("now", {})],
        guided=True,
    ),
    Sample(
        f"<|thought_start|>\nNo.\n<|thought_end|>\nI look.\n{BEGIN}search(q='a ```', n=True){END}\nWait.",
        said="I look.Wait.",
        thought="No.",
        calls=[("search", {"q": "a ```", "n": True})],
        guided=True,
    ),
    Sample("<|tool_call_start|>now();now()<|tool_call_end|>", calls=[("now", {}), ("now", {})]),
    Sample(f"{BEGIN}x = now(){END}", said=f"{BEGIN}x = now(){END}", malformed=True),
    Sample(f"{BEGIN}get_weather(city=", said=f"{BEGIN}get_weather(city=", finish_reason="length"),
)
