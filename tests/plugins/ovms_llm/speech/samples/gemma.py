"""As Gemma 3 writes when it is asked for code, and as Google's guide asks it to."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

SAMPLES = (
    Sample("[see](https://example.org) and ```python\nx\n```", "[see](https://example.org) and ```python\nx\n```"),
    Sample("[1, 2]", "[1, 2]"),
    Sample(
        '```tool_code\nget_weather(city="Zürich 🌧")\nnow()\n```',
        calls=[("get_weather", {"city": "Zürich 🌧"}), ("now", {})],
        guided=True,
    ),
    Sample(
        'I look.\n\n```tool_code\nprint(default_api.get_weather(city="Rome", days=1))\n```\n',
        said="I look.",
        calls=[("get_weather", {"city": "Rome", "days": 1})],
    ),
    Sample('[get_weather(city="807ZPKBL9V"), now()]', calls=[("get_weather", {"city": "807ZPKBL9V"}), ("now", {})]),
    Sample("[fly()]", "[fly()]"),
    Sample("```tool_code\nfly()\n```", said="```tool_code\nfly()\n```", malformed=True),
    Sample("[now(", said="[now(", finish_reason="length"),
)
