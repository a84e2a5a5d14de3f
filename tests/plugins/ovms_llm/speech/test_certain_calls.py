"""Under its format's grammar a real model, which knows none of them, writes calls that are heard as calls."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.plugins.ovms_llm.conftest import generate, run
from tests.plugins.ovms_llm.speech.hearing import Heard, Sample, hear

from ovms_llm.engine.text_generation import TextGeneration
from ovms_llm.messages import Chat, Generate, Guide
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.registry import formats

pytestmark = pytest.mark.real

WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"enum": ["Rome", "Oslo"]},
        "note": {"type": "string", "maxLength": 6},
        "days": {"type": "integer", "minimum": 1, "maximum": 9},
        "windy": {"type": "boolean"},
    },
    "required": ["city", "note", "days", "windy"],
    "additionalProperties": False,
}
FUNCTIONS = (Function("get_weather", WEATHER, "The weather."),)
QUESTION = Chat([{"role": "user", "content": "How is the weather in Rome?"}])


def _asked(engine: TextGeneration, format: SpeechFormat) -> Any:
    """`max_tokens` is much since this model knows no format's marks as tokens."""
    request = generate(QUESTION, max_tokens=200)
    request.guide = Guide(format.calls(FUNCTIONS, many=False), "tools")
    assert isinstance(request, Generate)
    return engine.prepare(request)


def _heard(format: SpeechFormat, text: str) -> Heard:
    return hear(format, Sample(text, functions=FUNCTIONS), list(text), guided=True)


def test_a_call_that_a_grammar_makes_certain_is_heard_as_one_in_every_format(engine: TextGeneration) -> None:
    every = list(formats().values())
    outcomes = run(engine, *(_asked(engine, format) for format in every))
    for format, outcome in zip(every, outcomes, strict=True):
        text = outcome.text()
        heard = _heard(format, text)
        assert (heard.said, len(heard.calls), heard.finish_reason) == ("", 1, "tool_calls"), (format.name, text)
        [(name, arguments)] = heard.calls
        assert name == "get_weather"
        _check(json.loads(arguments))


def _check(arguments: dict[str, Any]) -> None:
    assert sorted(arguments) == sorted(WEATHER["properties"])
    assert arguments["city"] in {"Rome", "Oslo"}
    assert isinstance(arguments["note"], str)
    assert len(arguments["note"]) <= 6
    assert arguments["days"] in range(1, 10)
    assert isinstance(arguments["windy"], bool)
