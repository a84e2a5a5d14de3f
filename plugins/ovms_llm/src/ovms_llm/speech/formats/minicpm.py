"""MiniCPM 3 and 4 (https://huggingface.co/openbmb/MiniCPM3-4B#function-calling)."""

from __future__ import annotations

from collections.abc import Container, Sequence

from ovms_llm.grammar import formats
from ovms_llm.grammar.formats import Format
from ovms_llm.messages import Thinking
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.parsing.parser import SpeechParser
from ovms_llm.speech.parsing.script import Steps
from ovms_llm.speech.pythonic import PythonicScript, python_calls

_CALLS, _CALLS_END = "<|tool_call_start|>", "<|tool_call_end|>"
_FENCE, _FENCE_END = "\n```python\n", "\n```\n"
_THOUGHT, _THOUGHT_END = "<|thought_start|>", "<|thought_end|>"


class MiniCpm(SpeechFormat):
    """Calls as in Python, one a line of a fence of code, between two marks; a thought comes first."""

    name = "minicpm"
    markers = (_CALLS, _CALLS_END, _THOUGHT, _THOUGHT_END)
    thinking = Thinking(_THOUGHT, _THOUGHT_END)

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By its marks of thoughts and of calls."""
        both = _THOUGHT in template and _CALLS in template
        return "its chat template writes <|thought_start|> and <|tool_call_start|>" if both else None

    def parser(self, functions: Sequence[Function], *, guided: bool) -> SpeechParser:
        """Calls in fences."""
        return FencedCalls(functions, guided=guided)

    def calls(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Calls and their marks."""
        return python_calls(
            functions, many=many, opening=_CALLS + _FENCE, separator="\n", closing=_FENCE_END + _CALLS_END
        )

    def answer(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Any text, in which the mark begins calls."""
        calls = python_calls(functions, many=many, opening=_FENCE, separator="\n", closing=_FENCE_END)
        return formats.triggered([_CALLS], [formats.tag(_CALLS, calls, _CALLS_END)], once=not many)


class FencedCalls(PythonicScript):
    """Reads text and calls."""

    def steps(self) -> Steps[None]:
        """Text and calls."""
        while mark := (yield from self.words(_CALLS)):
            yield from self.whole(self.calls_until(_CALLS_END, "```python", "```", ";", ","), mark)
