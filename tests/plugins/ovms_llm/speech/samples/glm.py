"""As GLM-4.5 writes, and 4.7 without line breaks."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

from ovms_llm.speech.functions.tools import Function

CITY = '<arg_key>city</arg_key>\n<arg_value>Zürich "🌧"\n</arg_value>\n'
KINDS = {
    "text": {"type": "string"},
    "count": {"type": "integer"},
    "maybe": {"type": ["string", "null"]},
    "either": {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/word"}]},
    "tags": {"type": "array"},
    "on": {"type": "boolean"},
    "choice": {"enum": ["1", "2"]},
}
PICKY = Function("picky", {"type": "object", "properties": KINDS, "$defs": {"word": {"type": "string"}}})


def _picky(**values: str) -> str:
    pairs = "".join(f"<arg_key>{key}</arg_key><arg_value>{value}</arg_value>" for key, value in values.items())
    return f"<tool_call>picky{pairs}</tool_call>"


SAMPLES = (
    Sample("if a < b: <tool", "if a < b: <tool"),
    Sample(
        f"<tool_call>get_weather\n{CITY}<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>",
        calls=[("get_weather", {"city": 'Zürich "🌧"\n', "days": 3})],
        guided=True,
    ),
    Sample(
        f"<think>Hm.</think>\nI look.\n<tool_call>get_weather\n{CITY}</tool_call>\n<tool_call>now\n</tool_call>\nSo.",
        said="I look.So.",
        thought="Hm.",
        calls=[("get_weather", {"city": 'Zürich "🌧"\n'}), ("now", {})],
        guided=True,
    ),
    Sample("<tool_call>now</tool_call>", calls=[("now", {})], guided=True),
    Sample(
        _picky(text="12", count="12", maybe="null", either="0.5", tags='["a", {}]', on="True", choice="2"),
        calls=[
            (
                "picky",
                {"text": "12", "count": 12, "maybe": None, "either": 0.5, "tags": ["a", {}], "on": True, "choice": "2"},
            )
        ],
        functions=(PICKY,),
        guided=True,
    ),
    Sample(
        _picky(text="a\\n<b>\t", maybe="12", either="twelve", count="many"),
        calls=[("picky", {"text": "a\\n<b>\t", "maybe": "12", "either": "twelve", "count": "many"})],
        functions=(PICKY,),
        guided=True,
    ),
    Sample(
        '<tool_call>search<arg_key>deep</arg_key><arg_value>{"a": [1]}</arg_value></tool_call>',
        calls=[("search", {"deep": {"a": [1]}})],
        guided=True,
    ),
    Sample("<tool_call>fly</tool_call>", said="<tool_call>fly</tool_call>", malformed=True),
    Sample("<tool_call>now\nplease</tool_call>", said="<tool_call>now\nplease</tool_call>", malformed=True),
    Sample(
        "<tool_call>{oops <tool_call>now</tool_call>",
        said="<tool_call>{oops ",
        calls=[("now", {})],
        malformed=True,
    ),
    Sample(
        "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Par",
        said="<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Par",
        finish_reason="length",
    ),
)
