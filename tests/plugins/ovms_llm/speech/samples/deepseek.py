"""As DeepSeek V3 and R1 write, by their chat templates."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

BEGIN, END = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"
NOW = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{}\n```<｜tool▁call▁end｜>"
WEATHER = (
    "<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n"
    '```json\n{"city": "Zürich ``` 🌧\\n"}\n```<｜tool▁call▁end｜>'
)
HEARD = ("get_weather", {"city": "Zürich ``` 🌧\n"})

SAMPLES = (
    Sample("A ｜ and <｜ are no marks.", "A ｜ and <｜ are no marks."),
    Sample(BEGIN + WEATHER + END, calls=[HEARD], guided=True),
    Sample(
        f"<think>\nHm.\n</think>\n\nLet me see.\n\n{BEGIN}{WEATHER}\n{NOW}{END}",
        said="Let me see.",
        thought="Hm.",
        calls=[HEARD, ("now", {})],
        guided=True,
    ),
    Sample(f"{BEGIN}{NOW}{END} Done.", said="Done.", calls=[("now", {})], guided=True),
    Sample(BEGIN + WEATHER, calls=[HEARD], guided=True),
    Sample(NOW + END, calls=[("now", {})]),
    Sample(f"{BEGIN}{NOW.replace('{}', '{]')}{END}", said=f"{BEGIN}{NOW.replace('{}', '{]')}{END}", malformed=True),
    Sample(f"{BEGIN}no call", said=f"{BEGIN}no call", malformed=True),
    Sample(BEGIN + NOW.replace("now", "fly"), said=BEGIN + NOW.replace("now", "fly"), malformed=True),
    Sample(BEGIN + WEATHER[:60], said=BEGIN + WEATHER[:60], finish_reason="length"),
)
