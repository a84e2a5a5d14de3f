"""Families whose calls are JSON objects between two markers: most are a few lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

from ovms_llm.grammar.formats import Format
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.functions import grammars
from ovms_llm.speech.functions.grammars import Frame, Opening
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.parsing.calls import KEYS, Keys, MarkedParser, StreamedCalls, WholeCalls, read_json
from ovms_llm.speech.parsing.parser import SpeechParser


class JsonFormat(SpeechFormat):
    """Calls are objects with a name and arguments, behind `opening`: one, or with `listed` a list of them.

    `padding` is the white space that the model's template writes within the markers, and `separator` what it writes
    between two calls, or between the objects of a list. `closing` is empty where calls go on to the answer's end.
    """

    opening: ClassVar[str]
    closing: ClassVar[str]
    other_openings: ClassVar[dict[str, str]] = {}
    """More markers that models of the family use at times, with their closings."""
    arguments_key: ClassVar[str] = "arguments"
    keys: ClassVar[Keys] = KEYS
    listed: ClassVar[bool] = False
    padding: ClassVar[str] = ""
    separator: ClassVar[str] = ""

    def parser(self, functions: Sequence[Function], *, guided: bool) -> SpeechParser:
        """Calls in text."""
        known = {function.name for function in functions}
        closings = {self.opening: self.closing} | self.other_openings

        def reader(opening: str) -> StreamedCalls | WholeCalls:
            if guided and opening == self.opening:
                return StreamedCalls(self.closing, self.keys)
            return WholeCalls(opening, closings[opening], lambda text: read_json(text, self.keys), known)

        return MarkedParser(tuple(closings), reader)

    def calls(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Calls and their markers."""
        begin, end = self.opening + self.padding, self.padding + self.closing
        frames = self._objects(functions)
        if self.listed:
            return grammars.calls(frames, many=many, opening=f"{begin}[", separator=self.separator, closing=f"]{end}")
        marked = [Frame(begin + call.begin, call.body, call.end + end) for call in frames]
        return grammars.calls(marked, many=many, separator=self.separator)

    def answer(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Any text, in which the opening marker begins calls."""
        before, behind = (f"{self.padding}[", f"]{self.padding}") if self.listed else (self.padding, self.padding)
        opening = Opening(self.opening, before, behind + self.closing)
        return grammars.answer(
            self._objects(functions), [opening], many=many, inside=self.listed, separator=self.separator
        )

    def _objects(self, functions: Sequence[Function]) -> list[Frame]:
        return [
            Frame(
                f'{{"name": {json.dumps(function.name)}, "{self.arguments_key}": ',
                grammars.arguments_ebnf(function),
                "}",
            )
            for function in functions
        ]
