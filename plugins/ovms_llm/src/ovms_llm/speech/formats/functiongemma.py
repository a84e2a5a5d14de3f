"""FunctionGemma (https://ai.google.dev/gemma/docs/functiongemma/formatting-and-best-practices)."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any, ClassVar, Final

from ovms_llm.grammar import formats
from ovms_llm.grammar.formats import Format
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.functions import grammars, parameter_grammars
from ovms_llm.speech.functions.grammars import Frame
from ovms_llm.speech.functions.literals import Broken, written
from ovms_llm.speech.functions.parameters import value_of
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.parsing.parser import Arguments, CallStarted, SpeechParser
from ovms_llm.speech.parsing.script import Script, Steps

_DEPTH: Final = 64


class FunctionGemma(SpeechFormat):
    """``call:name{key:value}`` between two marks; strings stand between marks as well."""

    name = "functiongemma"
    opening: ClassVar[str] = "<start_function_call>"
    closing: ClassVar[str] = "<end_function_call>"
    quote: ClassVar[str] = "<escape>"
    markers: ClassVar[tuple[str, ...]] = ("<start_function_call>", "<end_function_call>", "<escape>")

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By the mark of a call."""
        return f"its chat template writes {cls.opening}" if cls.opening in template else None

    def parser(self, functions: Sequence[Function], *, guided: bool) -> SpeechParser:
        """Calls between marks."""
        return BracedCalls(functions, self.opening, self.closing, self.quote, guided=guided)

    def calls(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Calls and their marks."""
        frames = [Frame(self.opening + begin, body, end + self.closing) for begin, body, end in self._frames(functions)]
        return grammars.calls(frames, many=many)

    def answer(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Any text, in which the mark begins a call."""
        call = grammars.calls(self._frames(functions), many=False)
        return formats.triggered([self.opening], [formats.tag(self.opening, call, self.closing)], once=not many)

    def _frames(self, functions: Sequence[Function]) -> list[Frame]:
        return [
            Frame(f"call:{each.name}{{", parameter_grammars.parameters(each, self._parameter, ","), "}")
            for each in functions
        ]

    def _parameter(self, function: Function, name: str, schema: Any) -> str:
        text = parameter_grammars.text(function, schema, self.quote)
        if text is None:
            return parameter_grammars.after(f"{name}:", parameter_grammars.value(function, name, schema))
        return parameter_grammars.after(f"{name}:{self.quote}", text, self.quote)


class BracedCalls(Script):
    """Reads calls between marks, and gives their values as they come."""

    def __init__(self, functions: Iterable[Function], opening: str, closing: str, quote: str, *, guided: bool) -> None:
        self._opening, self._closing, self._quote = opening, closing, quote
        super().__init__(functions, guided=guided)

    def steps(self) -> Steps[None]:
        """Text and calls."""
        while mark := (yield from self.words(self._opening)):
            yield from self.whole(self.call(), mark)

    def call(self) -> Steps[None]:
        """What stands behind the mark of a call."""
        yield from self.blanks()
        yield from self.expect("call:")
        yield CallStarted((yield from self.until("{", self._closing)).strip())
        yield from self.object(0)
        if not (yield from self.over()):
            yield from self.expect(self._closing)

    def object(self, depth: int) -> Steps[None]:
        """Keys and values in braces."""
        yield from self.expect("{")
        lead = "{"
        while not (yield from self.closing("}")):
            key = yield from self.key()
            yield Arguments(f"{lead}{written(key)}: ")
            lead = ", "
            yield from self.blanks()
            yield from self.value(depth + 1)
            yield from self.comma("}")
        yield Arguments("{}" if lead == "{" else "}")

    def key(self) -> Steps[str]:
        """A key, which may stand in marks or quotes."""
        if (yield from self.option(self._quote)):
            key = yield from self.until(self._quote)
            yield from self.expect(self._quote)
        elif (yield from self.peek()) == '"':
            key = yield from self.quoted()
        else:
            key = (yield from self.until(":", "}")).strip()
        yield from self.blanks()
        yield from self.expect(":")
        return key

    def list(self, depth: int) -> Steps[None]:
        """Values in brackets."""
        yield from self.expect("[")
        lead = "["
        while not (yield from self.closing("]")):
            yield Arguments(lead)
            lead = ", "
            yield from self.value(depth + 1)
            yield from self.comma("]")
        yield Arguments("[]" if lead == "[" else "]")

    def value(self, depth: int) -> Steps[None]:
        """One value."""
        if depth > _DEPTH:
            raise Broken
        if (yield from self.option(self._quote)):
            yield from self.text_until(self._quote)
            return
        match (yield from self.peek()):
            case "{":
                yield from self.object(depth)
            case "[":
                yield from self.list(depth)
            case '"':
                yield Arguments(written((yield from self.quoted())))
            case _:
                yield Arguments(value_of((yield from self.until(",", "}", "]")).strip(), None))
