"""As FunctionGemma writes, by its documentation."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

BEGIN, END = "<start_function_call>call:", "<end_function_call>"

SAMPLES = (
    Sample("a <start of it> {b:c}", "a <start of it> {b:c}"),
    Sample(
        f'{BEGIN}get_weather{{city:<escape>Zürich, "🌧" {{}}<escape>,days:3}}{END}',
        calls=[("get_weather", {"city": 'Zürich, "🌧" {}', "days": 3})],
        guided=True,
    ),
    Sample(
        f"<think>Hm.</think>I look.{BEGIN}now{{}}{END}{BEGIN}get_weather{{city:<escape>Rome<escape>}}{END}",
        said="I look.",
        thought="Hm.",
        calls=[("now", {}), ("get_weather", {"city": "Rome"})],
        guided=True,
    ),
    Sample(
        f"{BEGIN}search{{a:[<escape>x<escape>,1,true,[]],"
        f'b:{{c:null,<escape>d<escape>:"\\u00e9"}},"e": -1.5, f:bare}}{END}',
        calls=[("search", {"a": ["x", 1, True, []], "b": {"c": None, "d": "é"}, "e": -1.5, "f": "bare"})],
        guided=True,
    ),
    Sample(f"{BEGIN}now{{}}", calls=[("now", {})]),
    Sample(f"{BEGIN}now{{a}}{END}", said=f"{BEGIN}now{{a}}{END}", malformed=True),
    Sample(f"{BEGIN}fly{{}}{END}", said=f"{BEGIN}fly{{}}{END}", malformed=True),
    Sample(
        f"{BEGIN}get_weather{{city:<escape>Par", said=f"{BEGIN}get_weather{{city:<escape>Par", finish_reason="length"
    ),
)
