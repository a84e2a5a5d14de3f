"""As Llama 3.1 and 3.2 write."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

CALL = '{"name": "get_weather", "parameters": {"city": "Zürich \\"x\\" 🌧"}}'
CALLS = [("get_weather", {"city": 'Zürich "x" 🌧'})]

SAMPLES = (
    Sample("Plain.", "Plain."),
    Sample("  {x} is a set", "  {x} is a set"),
    Sample('{"name": "Bob", "age": 3}', '{"name": "Bob", "age": 3}'),
    Sample('{"city": "Paris", "more": [1]} and so on', '{"city": "Paris", "more": [1]} and so on'),
    Sample(CALL, calls=CALLS, guided=True),
    Sample("<|python_tag|>" + CALL, calls=CALLS, guided=True),
    Sample("Look: <|python_tag|>" + CALL, said="Look:", calls=CALLS, guided=True),
    Sample(f'{CALL}; {{"name": "now", "parameters": {{}}}}', calls=[*CALLS, ("now", {})], guided=True),
    Sample('<think>hm</think>\n{"name": "now", "parameters": {}}', calls=[("now", {})], thought="hm", guided=True),
    Sample(
        '{"type": "function", "name": "get_weather", "parameters": {"city": "a"}}',
        calls=[("get_weather", {"city": "a"})],
    ),
    Sample('{ "name" : "now", "arguments": {} }', calls=[("now", {})]),
    Sample('{"type": "function", "name": "now", "parameters": {}}', calls=[("now", {})], guided=True),
    Sample(
        'Well: {"name":"now", "parameters": {}}; {"name": "now", "parameters": {}}',
        'Well: {"name":"now", "parameters": {}}; {"name": "now", "parameters": {}}',
    ),
    Sample('<|python_start|>{"name": "now", "parameters": {}}<|python_end|>', calls=[("now", {})]),
    Sample('{"name": "now", "parameters": {"a"}}', '{"name": "now", "parameters": {"a"}}', malformed=True),
    Sample("<|python_tag|>print(1)", "<|python_tag|>print(1)", malformed=True),
    Sample('{"name": "get_weather", "par', '{"name": "get_weather", "par', finish_reason="length"),
    Sample('{"na', '{"na', finish_reason="length"),
)
