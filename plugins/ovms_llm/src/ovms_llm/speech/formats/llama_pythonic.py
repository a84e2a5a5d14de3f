"""Llama 3.2 and Llama 4 with calls in Python's notation.

https://github.com/meta-llama/llama-models/blob/main/models/llama3_2/text_prompt_format.md
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Final

from ovms_llm.grammar.formats import Format
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.functions import grammars
from ovms_llm.speech.functions.grammars import Opening
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.parsing.parser import SpeechParser
from ovms_llm.speech.parsing.script import Steps
from ovms_llm.speech.pythonic import PythonicScript, python_calls, python_frames

_BEGIN, _END = "<|python_start|>", "<|python_end|>"
_SHOWN: Final = re.compile(r"\[func(?:_name|tion)?1?\(")


class LlamaPythonic(SpeechFormat):
    """A list of calls, ``[get_weather(city="Paris"), now()]``; Llama 4 puts it between two marks at times."""

    name = "llama_pythonic"
    markers = (_BEGIN, _END)

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By how it tells the model to write calls."""
        return "its chat template asks for calls as in Python" if _SHOWN.search(template) else None

    def parser(self, functions: Sequence[Function], *, guided: bool) -> SpeechParser:
        """Lists of calls."""
        return BracketedCalls(functions, guided=guided)

    def calls(self, functions: Sequence[Function], *, many: bool) -> Format:
        """One list."""
        return python_calls(functions, many=many, opening="[", separator=", ", closing="]")

    def answer(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Any text, in which a bracket in front of a function's name begins a list."""
        frames = python_frames(functions)
        openings = [Opening(f"[{frame.begin}", closing="]", call=number) for number, frame in enumerate(frames)]
        marked = Opening(_BEGIN, "[", f"]{_END}")
        return grammars.answer(frames, [*openings, marked], many=many, inside=True, separator=", ")


class BracketedCalls(PythonicScript):
    """Reads text and lists of calls: brackets begin one in front of a function's name only."""

    def steps(self) -> Steps[None]:
        """Text and lists."""
        bare = [f"[{name}(" for name in self._functions]
        while mark := (yield from self.words(_BEGIN, *bare)):
            if mark == _BEGIN:
                yield from self.whole(self.calls_until(_END, "[", ",", "]"), mark)
                continue
            self.take(1 - len(mark))
            yield from self.whole(self.calls_until("]", ","), "[")
