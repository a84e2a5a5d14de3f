"""GLM-4.5 and later (https://huggingface.co/zai-org/GLM-4.5)."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from ovms_llm.grammar import formats
from ovms_llm.grammar.formats import Format
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.functions import grammars, parameter_grammars
from ovms_llm.speech.functions.grammars import Frame
from ovms_llm.speech.functions.literals import written
from ovms_llm.speech.functions.parameters import is_text, kinds, properties, value_of
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.parsing.parser import Arguments, CallStarted, SpeechParser
from ovms_llm.speech.parsing.script import Script, Steps

_CALL, _CALL_END = "<tool_call>", "</tool_call>"
_KEY, _KEY_END, _VALUE, _VALUE_END = "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"


class Glm(SpeechFormat):
    """The function's name, then keys and values in tags: strings as they are, all else as JSON."""

    name = "glm"
    markers = (_CALL, _CALL_END, _KEY, _KEY_END, _VALUE, _VALUE_END)

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By the tags around keys."""
        return "its chat template writes arguments in <arg_key> and <arg_value>" if _KEY in template else None

    def parser(self, functions: Sequence[Function], *, guided: bool) -> SpeechParser:
        """Calls in tags."""
        return TaggedCalls(functions, guided=guided)

    def calls(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Calls and their tags."""
        frames = [Frame(_CALL + begin, body, _CALL_END) for begin, body, _ in self._frames(functions)]
        return grammars.calls(frames, many=many, separator="\n")

    def answer(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Any text, in which the tag begins a call."""
        call = grammars.calls(self._frames(functions), many=False)
        return formats.triggered([_CALL], [formats.tag(_CALL, call, _CALL_END)], once=not many)

    def _frames(self, functions: Sequence[Function]) -> list[Frame]:
        return [Frame(f"{each.name}\n", parameter_grammars.parameters(each, _tagged), "") for each in functions]


def _tagged(function: Function, name: str, schema: Any) -> str:
    """A parameter in its tags: text where a string will do, else JSON."""
    value = parameter_grammars.bare(function, name, schema, _VALUE_END)
    return parameter_grammars.after(f"{_KEY}{name}{_KEY_END}\n{_VALUE}", value, f"{_VALUE_END}\n")


class TaggedCalls(Script):
    """Reads calls in tags."""

    def steps(self) -> Steps[None]:
        """Text and calls."""
        while mark := (yield from self.words(_CALL)):
            yield from self.whole(self.call(), mark)

    def call(self) -> Steps[None]:
        """What stands behind the mark of a call."""
        name = (yield from self.until("\n", "<")).strip()
        yield CallStarted(name)
        lead = "{"
        while not (yield from self.closing(_CALL_END)):
            key = yield from self.key()
            yield Arguments(f"{lead}{written(key)}: ")
            yield from self.value(name, key)
            lead = ", "
        yield Arguments("{}" if lead == "{" else "}")

    def key(self) -> Steps[str]:
        """A parameter's name."""
        yield from self.expect(_KEY)
        key = (yield from self.until(_KEY_END)).strip()
        yield from self.expect(_KEY_END)
        yield from self.blanks()
        yield from self.expect(_VALUE)
        return key

    def value(self, name: str, key: str) -> Steps[None]:
        """A parameter's value."""
        function = self._functions.get(name)
        schema = properties(function).get(key) if function else None
        root = function.parameters if function else {}
        if is_text(schema, root):
            yield from self.text_until(_VALUE_END)
        else:
            yield Arguments(value_of((yield from self.until(_VALUE_END)), kinds(schema, root)))
            yield from self.expect(_VALUE_END)
