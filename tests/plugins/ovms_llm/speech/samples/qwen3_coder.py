"""As Qwen3-Coder writes."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import FUNCTIONS, Sample

from ovms_llm.speech.functions.tools import Function

EDIT = Function(
    "edit",
    {
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "text": {"type": "string"},
            "mode": {"type": "string", "enum": ["append", "replace"]},
            "lines": {"type": "array", "items": {"type": "integer"}},
            "options": {"$ref": "#/$defs/options"},
            "dry": {"type": ["boolean", "null"]},
            "since": {"type": "string", "format": "date"},
            "anything": {},
        },
        "required": ["path"],
        "$defs": {"options": {"type": "object"}},
    },
)
CODE = '  if a < b:\n\tprint("x\\n")\n'
WITH_EDIT = (*FUNCTIONS, EDIT)


def _call(name: str, **values: str) -> str:
    parameters = "".join(f"<parameter={key}>\n{value}\n</parameter>\n" for key, value in values.items())
    return f"<tool_call>\n<function={name}>\n{parameters}</function>\n</tool_call>"


SAMPLES = (
    Sample("Plain <tool> text <func", "Plain <tool> text <func"),
    Sample(
        _call("get_weather", city="Paris", days="3"), calls=[("get_weather", {"city": "Paris", "days": 3})], guided=True
    ),
    Sample(
        f"I look.\n{_call('now')}\n{_call('get_weather', city='Zürich 🌧')}",
        said="I look.",
        calls=[("now", {}), ("get_weather", {"city": "Zürich 🌧"})],
        guided=True,
    ),
    Sample(
        f"<think>\nEdit it.\n</think>\n\n{_call('edit', path='a.py', text=CODE)}\nDone.",
        said="Done.",
        thought="Edit it.",
        calls=[("edit", {"path": "a.py", "text": CODE})],
        guided=True,
        functions=WITH_EDIT,
    ),
    Sample(
        _call("edit", path="", mode="append", lines="[1, 2]", options='{"a": {"b": null}}', dry="null", anything="3"),
        calls=[
            (
                "edit",
                {
                    "path": "",
                    "mode": "append",
                    "lines": [1, 2],
                    "options": {"a": {"b": None}},
                    "dry": None,
                    "anything": 3,
                },
            )
        ],
        guided=True,
        functions=WITH_EDIT,
    ),
    Sample(
        "<function=edit>\n<parameter=path>a b</parameter>\n<parameter=dry>True</parameter>\n"
        "<parameter=since>2024-01-31</parameter></function></tool_call>",
        calls=[("edit", {"path": "a b", "dry": True, "since": "2024-01-31"})],
        functions=WITH_EDIT,
    ),
    Sample(
        _call("edit", path="a", since='"2024-01-31"'),
        calls=[("edit", {"path": "a", "since": '"2024-01-31"'})],
        functions=WITH_EDIT,
    ),
    Sample(
        "A <tool_call>\nwhat?</tool_call>",
        said="A <tool_call>\nwhat?</tool_call>",
        malformed=True,
    ),
    Sample(_call("fly", to="Rome"), said=_call("fly", to="Rome"), malformed=True),
    Sample("<tool_call>\n<function=now", said="<tool_call>\n<function=now", finish_reason="length"),
)
