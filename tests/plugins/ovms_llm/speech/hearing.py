"""Hearing an answer out, however it is cut."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ovms_llm.messages import Channel, Delta, FinishReason, Thinking, ToolCallDelta
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.listening import Listener

THINK = Thinking("<think>", "</think>")

CITY = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}
ANY: dict[str, Any] = {"type": "object"}
FUNCTIONS = (
    Function("get_weather", CITY, "The weather in a city."),
    Function("now", {"type": "object", "properties": {}}),
    Function("search", ANY),
)


@dataclass(frozen=True)
class Sample:
    """What a model writes, and what it means. `guided` says that a grammar of the format could have made it."""

    text: str
    said: str = ""
    calls: Sequence[tuple[str, dict[str, Any]]] = ()
    thought: str = ""
    malformed: bool = False
    guided: bool = False
    channel: Channel = "content"
    finish_reason: FinishReason = "stop"
    functions: Sequence[Function] = FUNCTIONS


@dataclass
class Heard:
    """An answer, put together from its events."""

    said: str = ""
    thought: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    stop_reason: str | int | None = None
    tokens: list[int] = field(default_factory=list)

    def add(self, event: Delta | ToolCallDelta) -> None:
        self.tokens += event.tokens
        if isinstance(event, ToolCallDelta):
            self._add_call(event)
            return
        assert self.finish_reason is None, "something came behind the end"
        self.finish_reason, self.stop_reason = event.finish_reason, event.stop_reason
        if event.channel == "reasoning":
            self.thought += event.text
        else:
            self.said += event.text

    def _add_call(self, event: ToolCallDelta) -> None:
        if event.call == len(self.calls):
            assert event.id, "a call begins with its id"
            assert event.name, "and its name"
            self.ids.append(event.id)
            self.calls.append((event.name, event.arguments))
            return
        assert event.call == len(self.calls) - 1
        assert (event.id, event.name) == (None, None)
        name, arguments = self.calls[-1]
        self.calls[-1] = name, arguments + event.arguments

    @property
    def meaning(self) -> dict[str, Any]:
        """What may not depend on how the answer is cut."""
        return {
            "said": self.said,
            "thought": self.thought,
            "calls": self.calls,
            "finish_reason": self.finish_reason,
            "stop_reason": self.stop_reason,
        }


def hear(
    format: SpeechFormat, sample: Sample, pieces: Sequence[str], *, guided: bool = False, many: bool = True
) -> Heard:
    """What `pieces` of the sample's text are heard as, a token a piece."""
    thinking = format.thinking or THINK
    listener = Listener(format, thinking, sample.functions, guided=guided, channel=sample.channel, many=many)
    heard = Heard()
    for number, piece in enumerate(pieces, 1):
        ends = number == len(pieces)
        for event in listener.hear(Delta(0, piece, [number], finish_reason=sample.finish_reason if ends else None)):
            heard.add(event)
    assert heard.tokens == [*range(1, len(pieces) + 1)]
    return heard


def cuts(text: str) -> Iterator[list[str]]:
    """`text` whole, in single characters, and in two pieces, cut everywhere."""
    yield [text]
    yield list(text)
    for at in range(1, len(text)):
        yield [text[:at], text[at:]]


def check(format: SpeechFormat, sample: Sample, *, guided: bool) -> None:
    """However `sample` is cut, it is heard as what it means."""
    whole = hear(format, sample, [sample.text], guided=guided)
    calls = [(name, json.loads(arguments)) for name, arguments in whole.calls]
    assert (whole.thought, whole.said, calls) == (sample.thought, sample.said, list(sample.calls))
    assert (whole.stop_reason == "malformed_tool_call") == (sample.malformed and sample.finish_reason == "stop")
    assert len(set(whole.ids)) == len(calls)
    for pieces in cuts(sample.text):
        assert hear(format, sample, pieces, guided=guided).meaning == whole.meaning, pieces
