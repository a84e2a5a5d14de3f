"""GLM-4.5 and later (https://huggingface.co/zai-org/GLM-4.5), and GLM-4."""

from __future__ import annotations

from collections.abc import Container, Sequence

from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.literals import written
from ovms_llm.speech.parameters import kinds, properties, value_of
from ovms_llm.speech.parser import Arguments, CallStarted, SpeechParser
from ovms_llm.speech.script import Script, Steps
from ovms_llm.speech.tools import Function

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


class Glm4(SpeechFormat):
    """GLM-4: the function's name on a line of its own, then its arguments as JSON, and no marks."""

    name = "glm4"

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By the beginning of every prompt, and no tags."""
        glm = "[gMASK]" in template and "<|observation|>" in template and "<tool_call>" not in template
        return "its chat template is GLM-4's" if glm else None

    def parser(self, functions: Sequence[Function], *, guided: bool) -> SpeechParser:
        """Calls on lines of their own."""
        return NamedLines(functions, guided=guided)


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
        allowed = kinds(properties(function).get(key), function.parameters) if function else None
        if allowed is not None and allowed <= {"string"}:
            yield from self.text_until(_VALUE_END)
        else:
            yield Arguments(value_of((yield from self.until(_VALUE_END)), allowed))
            yield from self.expect(_VALUE_END)


class NamedLines(Script):
    """Reads a line that is a function's name, and the object behind it, as a call."""

    def steps(self) -> Steps[None]:
        """Calls and text: a call begins the answer or a line of it."""
        lines = [f"{name}\n{{" for name in self._functions]
        mark = None if (yield from self.over()) else (yield from self.option(*lines))
        while mark or (mark := (yield from self.words(*(f"\n{line}" for line in lines)))):
            self.take(-1)
            yield from self.whole(self.call(mark), mark[:-1])
            mark = None

    def call(self, mark: str) -> Steps[None]:
        """A call, behind its name."""
        yield CallStarted(mark.strip("\n{"))
        yield from self.json()
