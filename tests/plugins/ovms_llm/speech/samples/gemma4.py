"""As Gemma 4 writes, by its documentation and its chat template."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

BEGIN, END = "<|tool_call>call:", "<tool_call|>"

SAMPLES = (
    Sample("a <| b", "a <| b"),
    Sample(
        f'<|channel>thought\nI need the weather.<channel|>{BEGIN}get_weather{{city:<|"|>Zürich "🌧"<|"|>,days:2}}{END}',
        thought="I need the weather.",
        calls=[("get_weather", {"city": 'Zürich "🌧"', "days": 2})],
        guided=True,
    ),
    Sample(
        f'I look.\n{BEGIN}now{{}}{END}{BEGIN}search{{a:{{b:<|"|>c<|"|>}}}}{END}',
        said="I look.",
        calls=[("now", {}), ("search", {"a": {"b": "c"}})],
        guided=True,
    ),
    Sample(f"{BEGIN}now{END}", said=f"{BEGIN}now{END}", malformed=True),
    Sample(f'{BEGIN}search{{a:<|"|>', said=f'{BEGIN}search{{a:<|"|>', finish_reason="length"),
)
