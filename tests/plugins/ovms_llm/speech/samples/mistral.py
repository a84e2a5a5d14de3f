"""As Mistral's models write: up to Mistral Small 3.1 a list, then names and arguments."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

CITY = {"city": "Zürich [ARGS] 🌧"}

NAMED = (
    Sample("Plain [TOOL_CAL", "Plain [TOOL_CAL"),
    Sample('[TOOL_CALLS]get_weather[ARGS]{"city": "Zürich [ARGS] 🌧"}', calls=[("get_weather", CITY)], guided=True),
    Sample(
        'See.[TOOL_CALLS]now[ARGS]{}[TOOL_CALLS]get_weather[CALL_ID]a1B2c3D4e[ARGS]{"city": "Zürich [ARGS] 🌧"}',
        said="See.",
        calls=[("now", {}), ("get_weather", CITY)],
        guided=True,
    ),
    Sample('[TOOL_CALLS]search{"a": {"b": "}"}}', calls=[("search", {"a": {"b": "}"}})]),
    Sample("<think>hm</think>[TOOL_CALLS]now[ARGS]{}", thought="hm", calls=[("now", {})], guided=True),
    Sample("[TOOL_CALLS]now[ARGS]{]}", "[TOOL_CALLS]now[ARGS]{]}", malformed=True),
    Sample("[TOOL_CALLS]fly[ARGS]{}", "[TOOL_CALLS]fly[ARGS]{}", malformed=True),
    Sample("[TOOL_CALLS] nothing", "[TOOL_CALLS] nothing", malformed=True),
    Sample('[TOOL_CALLS]search[ARGS]{"a', '[TOOL_CALLS]search[ARGS]{"a', finish_reason="length"),
)

SAMPLES = (
    *NAMED,
    Sample('[TOOL_CALLS][{"name": "now", "arguments": {}}]', calls=[("now", {})], guided=True),
    Sample(
        'So: [TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Zürich [ARGS] 🌧"}, "id": "abcdefghi"}, '
        '{"arguments": {}, "name": "now"}]',
        said="So:",
        calls=[("get_weather", CITY), ("now", {})],
    ),
    Sample("[TOOL_CALLS][{]", "[TOOL_CALLS][{]", malformed=True),
    Sample("[TOOL_CALLS]", "[TOOL_CALLS]", malformed=True),
)
