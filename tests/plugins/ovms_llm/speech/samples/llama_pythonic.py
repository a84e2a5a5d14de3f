"""As Llama 3.2 and Llama 4 write in Python's notation."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

SAMPLES = (
    Sample("A list: [1, 2], [get] and [get_weat", "A list: [1, 2], [get] and [get_weat"),
    Sample('[get_weather(city="Paris", days=3)]', calls=[("get_weather", {"city": "Paris", "days": 3})], guided=True),
    Sample(
        "Let me see. [get_weather(city='O\\'Hare é 🌧'), now(), search(a=[1, (2,)], b={'c': True, 'd': None}, e=-1.5)]",
        said="Let me see.",
        calls=[
            ("get_weather", {"city": "O'Hare é 🌧"}),
            ("now", {}),
            ("search", {"a": [1, [2]], "b": {"c": True, "d": None}, "e": -1.5}),
        ],
        guided=True,
    ),
    Sample(
        '<think>x</think>[search(a={"b": [true, null, "]"]})]',
        calls=[("search", {"a": {"b": [True, None, "]"]}})],
        thought="x",
        guided=True,
    ),
    Sample("<|python_start|>[now()]<|python_end|>", calls=[("now", {})], guided=True),
    Sample("[now()]\nDone.", said="Done.", calls=[("now", {})]),
    Sample("[fly(to='Rome')]", "[fly(to='Rome')]"),
    Sample("[now(a=open('x'))]", "[now(a=open('x'))]", malformed=True),
    Sample("[get_weather(city='Pa", "[get_weather(city='Pa", finish_reason="length"),
)
