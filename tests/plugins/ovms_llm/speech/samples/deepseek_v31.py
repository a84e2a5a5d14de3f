"""As DeepSeek V3.1 writes, by its model card."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

BEGIN, END = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"
NOW = "<｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜>"
WEATHER = '<｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Köln", "days": 2}<｜tool▁call▁end｜>'
HEARD = ("get_weather", {"city": "Köln", "days": 2})

SAMPLES = (
    Sample("Plain\ntext. ", "Plain\ntext. "),
    Sample(BEGIN + WEATHER + END, calls=[HEARD], guided=True),
    Sample(
        f"Let me think.</think>Looking.{BEGIN}{WEATHER}{NOW}{END}",
        said="Looking.",
        thought="Let me think.",
        calls=[HEARD, ("now", {})],
        channel="reasoning",
        guided=True,
    ),
    Sample(BEGIN + NOW + WEATHER[:-3], said=BEGIN + NOW + WEATHER[:-3], finish_reason="length"),
    Sample(f"{BEGIN}now<｜tool▁sep｜>{{}}{END}", said=f"{BEGIN}now<｜tool▁sep｜>{{}}{END}", malformed=True),
)
