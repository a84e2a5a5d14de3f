"""What a format's grammar makes, the format's parser hears as calls that fit."""

from __future__ import annotations

import json

import pytest
from tests.plugins.ovms_llm.grammar.acceptor import Writer
from tests.plugins.ovms_llm.speech.hearing import Sample, hear

from ovms_llm.grammar.ebnf import parsed
from ovms_llm.grammar.validation import Validator
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.registry import formats

FUNCTIONS = (
    Function(
        "edit",
        {
            "type": "object",
            "properties": {
                "path": {"type": "string"},
                "mode": {"type": "string", "enum": ["append", "a\\b"]},
                "lines": {"type": "array", "items": {"type": "integer"}, "maxItems": 3},
                "options": {"$ref": "#/$defs/options"},
                "dry": {"type": ["boolean", "null"]},
            },
            "required": ["path", "lines"],
            "additionalProperties": False,
            "$defs": {"options": {"type": "object", "properties": {"a": {"type": "number"}}}},
        },
    ),
    Function("now"),
)
VALIDATORS = {function.name: Validator(function.parameters) for function in FUNCTIONS}


@pytest.mark.parametrize("name", list(formats()))
@pytest.mark.parametrize("many", [False, True])
def test_made_calls_are_heard_and_fit(name: str, many: bool) -> None:
    format = formats()[name]
    made = format.calls(FUNCTIONS, many=many)
    if made["type"] != "grammar":
        pytest.skip("its calls are put together from several grammars")
    for seed in range(12):
        text = Writer(parsed(made["grammar"]), seed).write()
        heard = hear(format, Sample(text, functions=FUNCTIONS), [*text, ""], guided=True)
        assert heard.said == "", text
        assert heard.calls, text
        assert many or len(heard.calls) == 1
        for called, arguments in heard.calls:
            json.loads(arguments)
            assert VALIDATORS[called].check(arguments) is None, text
