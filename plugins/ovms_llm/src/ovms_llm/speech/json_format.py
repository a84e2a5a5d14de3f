"""Families whose calls are JSON objects between two markers: most are a few lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

from ovms_llm.grammar import formats
from ovms_llm.grammar.formats import Format
from ovms_llm.speech import grammars
from ovms_llm.speech.calls import KEYS, Keys, MarkedParser, StreamedCalls, WholeCalls, read_json
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.grammars import Frame
from ovms_llm.speech.parser import SpeechParser
from ovms_llm.speech.tools import Function


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
        if self.listed:
            return grammars.calls(
                self._objects(functions), many=many, opening=f"{begin}[", separator=self.separator, closing=f"]{end}"
            )
        frames = [Frame(begin + call.begin, call.body, call.end + end) for call in self._objects(functions)]
        return grammars.calls(frames, many=many, separator=self.separator)

    def answer(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Any text, in which the opening marker begins calls."""
        brackets = ("[", "]") if self.listed else ("", "")
        body = grammars.calls(
            self._objects(functions),
            many=many and self.listed,
            opening=self.padding + brackets[0],
            separator=self.separator,
            closing=brackets[1] + self.padding,
        )
        once = not many or not self.closing
        return formats.triggered([self.opening], [formats.tag(self.opening, body, self.closing)], once=once)

    def _objects(self, functions: Sequence[Function]) -> list[Frame]:
        return [
            Frame(
                f'{{"name": {json.dumps(function.name)}, "{self.arguments_key}": ',
                grammars.arguments_ebnf(function),
                "}",
            )
            for function in functions
        ]
