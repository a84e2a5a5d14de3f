"""Qwen3-Coder and Qwen3.5 (https://huggingface.co/Qwen/Qwen3-Coder-30B-A3B-Instruct)."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, Final

from ovms_llm.grammar.formats import Format
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.functions import grammars, parameter_grammars
from ovms_llm.speech.functions.grammars import Frame, Opening
from ovms_llm.speech.functions.literals import written
from ovms_llm.speech.functions.parameters import is_text, kinds, properties, value_of
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.parsing.parser import Arguments, CallStarted, SpeechParser
from ovms_llm.speech.parsing.script import Script, Steps

_CALL, _CALL_END = "<tool_call>", "</tool_call>"
_FUNCTION, _FUNCTION_END = "<function=", "</function>"
_PARAMETER, _PARAMETER_END = "<parameter=", "</parameter>"
_VALUE_END: Final = f"\n{_PARAMETER_END}"


class Qwen3Coder(SpeechFormat):
    """Tags for the function and each of its parameters: strings stand as they are, all else as JSON."""

    name = "qwen3_coder"
    markers = (_CALL, _CALL_END)

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By the tags."""
        if _FUNCTION in template and _PARAMETER in template:
            return "its chat template writes calls in <function=…> and <parameter=…>"
        return None

    def parser(self, functions: Sequence[Function], *, guided: bool) -> SpeechParser:
        """Calls in tags."""
        return FunctionTags(functions, guided=guided)

    def calls(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Calls, each in tags of its own."""
        frames = [Frame(f"{_CALL}\n{call.begin}", call.body, f"{call.end}\n{_CALL_END}") for call in _frames(functions)]
        return grammars.calls(frames, many=many, separator="\n")

    def answer(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Any text, in which the outer tag begins a call."""
        return grammars.answer(_frames(functions), [Opening(_CALL, "\n", f"\n{_CALL_END}")], many=many)


def _frames(functions: Sequence[Function]) -> list[Frame]:
    return [
        Frame(f"{_FUNCTION}{each.name}>\n", parameter_grammars.parameters(each, _tagged), _FUNCTION_END)
        for each in functions
    ]


def _tagged(function: Function, name: str, schema: Any) -> str:
    """A parameter: a string as it is where a grammar can say so what is allowed, else JSON."""
    bare = parameter_grammars.text(function, schema, _VALUE_END)
    value = parameter_grammars.value(function, name, schema) if bare is None else bare
    return parameter_grammars.after(f"{_PARAMETER}{name}>\n", value, f"{_VALUE_END}\n")


class FunctionTags(Script):
    """Reads calls in tags; models leave the outer ones out at times."""

    def steps(self) -> Steps[None]:
        """Text and calls."""
        while mark := (yield from self.words(_CALL, _FUNCTION)):
            yield from self.whole(self.call(mark), mark)

    def call(self, mark: str) -> Steps[None]:
        """What stands behind the mark of a call."""
        if mark == _CALL:
            yield from self.blanks()
            yield from self.expect(_FUNCTION)
        name = (yield from self.until(">")).strip()
        yield from self.expect(">")
        yield CallStarted(name)
        lead = "{"
        while not (yield from self.closing(_FUNCTION_END)):
            yield from self.expect(_PARAMETER)
            key = (yield from self.until(">")).strip()
            yield from self.expect(">")
            yield Arguments(f"{lead}{written(key)}: ")
            yield from self.value(name, key)
            lead = ", "
        yield Arguments("{}" if lead == "{" else "}")
        if not (yield from self.over()):
            yield from self.option(_CALL_END)

    def value(self, name: str, key: str) -> Steps[None]:
        """A parameter's value, between lines' ends that do not belong to it."""
        yield from self.option("\n")
        function = self._functions.get(name)
        schema = properties(function).get(key) if function else None
        ends = (_VALUE_END,) if self._guided else (_VALUE_END, _PARAMETER_END)
        if function and is_text(schema, function.parameters):
            yield from self.text_until(*ends)
        else:
            text = yield from self.until(*ends)
            yield Arguments(value_of(text, kinds(schema, function.parameters) if function else None))
            yield from self.expect(*ends)
