"""Llama 3.1 and later with calls in JSON.

https://github.com/meta-llama/llama-models/blob/main/models/llama3_1/prompt_format.md
"""

from __future__ import annotations

import json
from collections.abc import Container, Sequence

from ovms_llm.grammar.formats import Format
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.functions import grammars
from ovms_llm.speech.functions.grammars import Frame, Opening
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.parsing.bare_json import BareCalls
from ovms_llm.speech.parsing.calls import CallReader, MarkedParser, StreamedCalls, WholeCalls, read_json
from ovms_llm.speech.parsing.parser import SpeechParser

_TAG, _BEGIN, _END = "<|python_tag|>", "<|python_start|>", "<|python_end|>"


class Llama3Json(SpeechFormat):
    """``{"name": …, "parameters": …}`` is the answer, or stands behind a mark; several have semicolons between."""

    name = "llama3_json"
    markers = (_TAG, _BEGIN, _END)
    one_call_a_message = True

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By the mark, or the role of tools' results with the word for arguments."""
        if _TAG in template or ("ipython" in template and '"parameters"' in template):
            return "its chat template writes calls as Llama 3 does"
        return None

    def parser(self, functions: Sequence[Function], *, guided: bool) -> SpeechParser:
        """Calls behind a mark, or as the answer."""
        known = {function.name for function in functions}
        begun = tuple(begin for function in functions for begin in _beginnings(function)) if guided else ()

        def reader(opening: str) -> CallReader:
            if guided and opening in (_TAG, *begun):
                return StreamedCalls("", begun="" if opening == _TAG else opening)
            return WholeCalls(opening, _END if opening == _BEGIN else "", read_json, known)

        return BareCalls(MarkedParser((_TAG, _BEGIN, *begun), reader), known, begun)

    def calls(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Calls and nothing else."""
        return grammars.calls(_frames(functions), many=many, separator="; ")

    def answer(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Any text, in which the mark begins calls, and so does an object with a function's name."""
        openings = [
            Opening(begin, ', "parameters": ', call=number)
            for number, function in enumerate(functions)
            for begin in _beginnings(function)
        ]
        return grammars.answer(_frames(functions), [Opening(_TAG), *openings], many=many, inside=True, separator="; ")


def _beginnings(function: Function) -> tuple[str, ...]:
    """How models begin a call of `function`."""
    name = json.dumps(function.name)
    return f'{{"name": {name}', f'{{"name":{name}', f'{{"type": "function", "name": {name}'


def _frames(functions: Sequence[Function]) -> list[Frame]:
    return [
        Frame(f'{{"name": {json.dumps(each.name)}, "parameters": ', grammars.arguments_ebnf(each), "}")
        for each in functions
    ]
