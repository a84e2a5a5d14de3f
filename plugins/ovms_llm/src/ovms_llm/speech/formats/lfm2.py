"""Liquid AI's LFM2 (https://huggingface.co/LiquidAI/LFM2-1.2B#tool-use)."""

from __future__ import annotations

from collections.abc import Container, Sequence

from ovms_llm.grammar import formats
from ovms_llm.grammar.formats import Format
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.parsing.parser import SpeechParser
from ovms_llm.speech.parsing.script import Steps
from ovms_llm.speech.pythonic import PythonicScript, python_calls

_CALLS, _CALLS_END = "<|tool_call_start|>", "<|tool_call_end|>"


class Lfm2(SpeechFormat):
    """A list of calls as in Python, between two marks."""

    name = "lfm2"
    markers = (_CALLS, _CALLS_END)

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By the marks of the list of tools or of calls, which MiniCPM has too, beside marks of its own."""
        if "<|thought_start|>" in template:
            return None
        if "<|tool_list_start|>" in template or _CALLS in template:
            return "its chat template writes <|tool_list_start|> or <|tool_call_start|>"
        return None

    def parser(self, functions: Sequence[Function], *, guided: bool) -> SpeechParser:
        """Lists of calls."""
        return ListedCalls(functions, guided=guided)

    def calls(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Calls and their marks."""
        return python_calls(functions, many=many, opening=f"{_CALLS}[", separator=", ", closing=f"]{_CALLS_END}")

    def answer(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Any text, in which the mark begins calls."""
        calls = python_calls(functions, many=many, opening="[", separator=", ", closing="]")
        return formats.triggered([_CALLS], [formats.tag(_CALLS, calls, _CALLS_END)], once=not many)


class ListedCalls(PythonicScript):
    """Reads text and lists of calls."""

    def steps(self) -> Steps[None]:
        """Text and lists."""
        while mark := (yield from self.words(_CALLS)):
            yield from self.whole(self.calls_until(_CALLS_END, "[", ",", "]"), mark)
