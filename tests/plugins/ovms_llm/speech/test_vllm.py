"""A tool parser class as vLLM has them becomes a speech format."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.plugins.ovms_llm.speech.hearing import FUNCTIONS, Sample, check, hear

from ovms_llm.grammar.errors import GrammarError
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.vllm import MarkerTokenizer, from_vllm


@dataclass
class DeltaFunctionCall:
    name: str | None = None
    arguments: str | None = None


@dataclass
class DeltaToolCall:
    index: int
    function: Any
    id: str | None = None


@dataclass
class DeltaMessage:
    content: str | None = None
    tool_calls: list[DeltaToolCall] = field(default_factory=list)


@dataclass
class ExtractedToolCallInformation:
    tools_called: bool
    tool_calls: list[DeltaToolCall]
    content: str | None = None


class ParrotToolParser:
    """In vLLM's style: finds special tokens by their ids, and gives a call's arguments once they are whole."""

    def __init__(self, tokenizer: Any) -> None:
        vocabulary = tokenizer.get_vocab()
        if "<call>" not in vocabulary:
            raise RuntimeError("no <call> token")
        self.start_id, self.end_id = vocabulary["<call>"], vocabulary["</call>"]
        self.called = 0

    def _read(self, text: str) -> DeltaFunctionCall:
        call = json.loads(text)
        assert isinstance(call["arguments"], dict)
        return DeltaFunctionCall(call["name"], json.dumps(call["arguments"], ensure_ascii=False))

    def extract_tool_calls(self, model_output: str, request: Any) -> ExtractedToolCallInformation:
        assert request.tools[0].function.name == "get_weather"
        content, *parts = model_output.split("<call>")
        try:
            calls = [
                DeltaToolCall(index, self._read(part.partition("</call>")[0]), f"parrot-{index}")
                for index, part in enumerate(parts)
            ]
        except ValueError:
            return ExtractedToolCallInformation(False, [], model_output)
        return ExtractedToolCallInformation(bool(calls), calls, content or None)

    def extract_tool_calls_streaming(
        self,
        previous_text: str,
        current_text: str,
        delta_text: str,
        previous_token_ids: Sequence[int],
        current_token_ids: Sequence[int],
        delta_token_ids: Sequence[int],
        request: Any,
    ) -> DeltaMessage | None:
        assert previous_text + delta_text == current_text
        assert [*previous_token_ids, *delta_token_ids] == [*current_token_ids]
        if self.start_id not in current_token_ids:
            return DeltaMessage(content=delta_text)
        if self.end_id not in delta_token_ids:
            return None
        index, self.called = self.called, self.called + 1
        call = self._read(previous_text.rpartition("<call>")[2])
        message = DeltaMessage(tool_calls=[DeltaToolCall(index, {"name": call.name}, f"parrot-{index}")])
        message.tool_calls.append(DeltaToolCall(index, DeltaFunctionCall(arguments=call.arguments)))
        return message


def _recognise(template: str, vocabulary: Container[str]) -> str | None:
    return "its chat template writes <call>" if "<call>" in template else None


def _frame(name: str) -> tuple[str, str]:
    return f'<call>{{"name": "{name}", "arguments": ', "}</call>"


Parrot = from_vllm(ParrotToolParser, name="parrot", recognise=_recognise, markers=("<call>", "</call>"), frame=_frame)
CALL = '<call>{"name": "get_weather", "arguments": {"city": "Zürich 🌧"}}</call>'
HEARD = ("get_weather", {"city": "Zürich 🌧"})


@pytest.mark.parametrize(
    "sample",
    [
        Sample("a < b <ca", said="a < b <ca"),
        Sample(CALL, calls=[HEARD]),
        Sample(f"I look.{CALL}{CALL}", said="I look.", calls=[HEARD, HEARD]),
        Sample(CALL.removesuffix("</call>"), calls=[HEARD]),
        Sample("<call>{oops", said="<call>{oops"),
    ],
)
def test_a_parser_of_vllm_hears_the_same_however_an_answer_is_cut(sample: Sample) -> None:
    check(Parrot(), sample, guided=False)


def test_the_parsers_ids_are_kept() -> None:
    assert hear(Parrot(), Sample(""), [CALL, CALL]).ids == ["parrot-0", "parrot-1"]


def test_it_is_a_format_like_any_other() -> None:
    assert issubclass(Parrot, SpeechFormat)
    assert (Parrot.name, Parrot.markers) == ("parrot", ("<call>", "</call>"))
    assert Parrot.recognise("… <call> …", ()) == "its chat template writes <call>"
    assert '<call>{\\"name\\": \\"now\\"' in Parrot().calls(FUNCTIONS, many=True)["grammar"]
    assert Parrot().answer(FUNCTIONS, many=True)["triggers"] == ['<call>{"name": "']


def test_without_a_frame_no_call_can_be_required() -> None:
    format = from_vllm(ParrotToolParser, name="parrot", recognise=_recognise)()
    with pytest.raises(GrammarError, match="'parrot' cannot make a call certain"):
        format.calls(FUNCTIONS, many=False)
    assert format.answer(FUNCTIONS, many=False) == {"type": "any_text"}


class Failing(ParrotToolParser):
    """Raises while it streams, as some do on texts that they do not expect."""

    def extract_tool_calls_streaming(self, *arguments: Any, **named: Any) -> DeltaMessage | None:
        raise KeyError("name")


def test_a_parser_that_fails_is_asked_for_the_whole_answer(caplog: pytest.LogCaptureFixture) -> None:
    format = from_vllm(Failing, name="failing", recognise=_recognise, markers=("<call>", "</call>"))()
    heard = hear(format, Sample(""), [f"I look.{CALL}"])
    assert (heard.said, heard.calls) == ("I look.", [("get_weather", '{"city": "Zürich 🌧"}')])
    assert "KeyError: 'name'" in caplog.text


def test_its_tokenizer_knows_markers_and_characters() -> None:
    tokenizer = MarkerTokenizer(("<a>", "<ab>"))
    ids = tokenizer.encode("x<ab>é<a>")
    assert (len(ids), tokenizer.decode(ids)) == (4, "x<ab>é<a>")
    assert tokenizer.convert_tokens_to_ids("<ab>") == 1
