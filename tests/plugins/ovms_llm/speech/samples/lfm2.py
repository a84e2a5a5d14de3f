"""As LFM2 writes: the example of its model card, and what Python allows."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

BEGIN, END = "<|tool_call_start|>", "<|tool_call_end|>"

SAMPLES = (
    Sample("a list [1, 2] and f(x)", "a list [1, 2] and f(x)"),
    Sample(
        f'{BEGIN}[get_weather(city="12345")]{END}Checking the weather.',
        said="Checking the weather.",
        calls=[("get_weather", {"city": "12345"})],
        guided=True,
    ),
    Sample(
        f'<think>Hm.</think>Looking.\n{BEGIN}[get_weather(city="Zürich \\"🌧\\" \\u00e9", days=3), now()]{END}',
        said="Looking.",
        thought="Hm.",
        calls=[("get_weather", {"city": 'Zürich "🌧" é', "days": 3}), ("now", {})],
        guided=True,
    ),
    Sample(
        f"{BEGIN}[search(a='it\\'s', b=[1, -2.5e3, (True, None)], c={{'k': {{}}, 2: false}}, "
        f'd="""x\ny""", e=\'\'),]{END}',
        calls=[
            (
                "search",
                {"a": "it's", "b": [1, -2500.0, [True, None]], "c": {"k": {}, "2": False}, "d": "x\ny", "e": ""},
            )
        ],
        guided=True,
    ),
    Sample(f'{BEGIN}[get_weather("Paris", 2)]{END}', calls=[("get_weather", {"city": "Paris", "days": 2})]),
    Sample(
        f'{BEGIN}[search(a="\\ud83d\\ude00 \\x41 \\d \\/ \\\\", b = .5 , c=1_0)]{END}',
        calls=[("search", {"a": "😀 A \\d / \\", "b": 0.5, "c": 10})],
    ),
    Sample(f"{BEGIN}[tools.now()]{END}", calls=[("now", {})]),
    Sample(f"{BEGIN}[now()]", calls=[("now", {})]),
    Sample(f"{BEGIN}[fly()]{END}", said=f"{BEGIN}[fly()]{END}", malformed=True),
    Sample(f"{BEGIN}[search(a=b)]{END}", said=f"{BEGIN}[search(a=b)]{END}", malformed=True),
    Sample(f"{BEGIN}[now(1)]{END}", said=f"{BEGIN}[now(1)]{END}", malformed=True),
    Sample(f"{BEGIN}[search(a=inf)]{END}", said=f"{BEGIN}[search(a=inf)]{END}", malformed=True),
    Sample(
        f"{BEGIN}[search(a={'[' * 70}1{']' * 70})]{END}",
        said=f"{BEGIN}[search(a={'[' * 70}1{']' * 70})]{END}",
        malformed=True,
    ),
    Sample(f'{BEGIN}[now(), get_weather(city="Pa', said=f'{BEGIN}[now(), get_weather(city="Pa', finish_reason="length"),
)
