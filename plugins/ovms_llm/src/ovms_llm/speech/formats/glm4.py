"""GLM-4 (https://github.com/zai-org/GLM-4)."""

from __future__ import annotations

from collections.abc import Container, Sequence

from ovms_llm.grammar.formats import Format
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.functions import grammars
from ovms_llm.speech.functions.grammars import Frame, Opening
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.parsing.parser import CallStarted, SpeechParser
from ovms_llm.speech.parsing.script import Script, Steps


class Glm4(SpeechFormat):
    """The function's name on a line of its own, then its arguments as JSON, and no marks."""

    name = "glm4"

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By the beginning of every prompt, and no tags."""
        glm = "[gMASK]" in template and "<|observation|>" in template and "<tool_call>" not in template
        return "its chat template is GLM-4's" if glm else None

    def parser(self, functions: Sequence[Function], *, guided: bool) -> SpeechParser:
        """Calls on lines of their own."""
        return NamedLines(functions, guided=guided)

    def calls(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Names and arguments."""
        return grammars.calls(_frames(functions), many=many, separator="\n")

    def answer(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Any text, in which a line that is a function's name begins a call.

        The first line cannot be told from text before it is over, so a call that begins the answer is not guided.
        """
        openings = [Opening(f"\n{each.name}\n", call=number) for number, each in enumerate(functions)]
        return grammars.answer(_frames(functions), openings, many=many)


def _frames(functions: Sequence[Function]) -> list[Frame]:
    return [Frame(f"{each.name}\n", grammars.arguments_ebnf(each), "") for each in functions]


class NamedLines(Script):
    """Reads a line that is a function's name, and the object behind it, as a call."""

    def steps(self) -> Steps[None]:
        """Calls and text: a call begins the answer or a line of it."""
        self._called = True
        while mark := (yield from self.line()):
            self.take(-1)
            yield from self.whole(self.call(mark), mark[:-1])

    def line(self) -> Steps[str | None]:
        """The next line that begins a call; `None` at the end."""
        lines = [f"{name}\n{{" for name in self._functions]
        if self._called:
            if (yield from self.over()):
                return None
            if (mark := (yield from self.option(*lines))) is not None:
                return mark
        return (yield from self.words(*(f"\n{line}" for line in lines)))

    def call(self, mark: str) -> Steps[None]:
        """A call, behind its name."""
        yield CallStarted(mark.strip("\n{"))
        yield from self.json()
