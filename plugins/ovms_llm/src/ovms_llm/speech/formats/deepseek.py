"""DeepSeek V3 and R1 (https://huggingface.co/deepseek-ai/DeepSeek-V3-0324)."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from typing import Any, Final

from ovms_llm.grammar import formats
from ovms_llm.grammar.formats import Format
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.functions import grammars
from ovms_llm.speech.functions.grammars import Frame
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.parsing.parser import CallStarted, SpeechParser
from ovms_llm.speech.parsing.script import Script, Steps

CALLS, CALLS_END = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"
CALL, SEPARATOR, CALL_END = "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"

_HOW: Final = """## Tools
You have access to the following tools:

{tools}

IMPORTANT: ALWAYS adhere to this exact format for tool use:
{calls}{call}{end}

Where:
- `tool_call_name` must be an exact match to one of the available tools
- `tool_call_arguments` must be valid JSON that strictly follows the tool's Parameters Schema"""


class DeepSeek(SpeechFormat):
    """Rows of calls between marks: each its type and its name, then its arguments in a fence of code."""

    name = "deepseek"
    markers = (CALLS, CALLS_END, CALL, SEPARATOR, CALL_END)
    before, after = f"function{SEPARATOR}", "\n```json\n"
    """What stands before and behind a function's name."""
    end = f"\n```{CALL_END}"
    separator = "\n"

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By its marks of calls, and the fence."""
        own = CALL in template and "```json" in template
        return "its chat template writes <｜tool▁call▁begin｜> and a fence of code" if own else None

    def parser(self, functions: Sequence[Function], *, guided: bool) -> SpeechParser:
        """Both forms, whichever the model writes."""
        return DeepSeekCalls(functions, guided=guided)

    def calls(self, functions: Sequence[Function], *, many: bool) -> Format:
        """A row of calls."""
        return grammars.calls(
            self._frames(functions), many=many, opening=CALLS, separator=self.separator, closing=CALLS_END
        )

    def answer(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Any text, in which the mark begins a row of calls."""
        row = grammars.calls(self._frames(functions), many=many, separator=self.separator)
        return formats.triggered([CALLS], [formats.tag(CALLS, row, CALLS_END)], once=True)

    def _frames(self, functions: Sequence[Function]) -> list[Frame]:
        return [
            Frame(f"{CALL}{self.before}{each.name}{self.after}", grammars.arguments_ebnf(each), self.end)
            for each in functions
        ]

    def instructions(self, functions: Sequence[Function]) -> str:
        """As the model cards have it: the templates know no tools."""
        call = f"{CALL}{self.before}tool_call_name{self.after}tool_call_arguments{self.end}{{additional_tool_calls}}"
        tools = "\n\n".join(map(_described, functions))
        return _HOW.format(tools=tools, calls=CALLS, call=call, end=CALLS_END)

    def template_variables(self, effort: str) -> dict[str, Any]:
        """V3.1's template knows ``thinking``."""
        return {"thinking": effort != "none", "enable_thinking": effort != "none"}


class DeepSeekCalls(Script):
    """Reads calls of both forms."""

    def steps(self) -> Steps[None]:
        """Text, and rows of calls."""
        while mark := (yield from self.words(CALLS, CALL)):
            yield from self.whole(self.calls(mark), mark)

    def calls(self, mark: str) -> Steps[None]:
        """A row of calls."""
        if mark == CALLS:
            yield from self.blanks()
            yield from self.expect(CALL)
        following: str | None = CALL
        while following == CALL:
            yield from self.call()
            following = None if (yield from self.over()) else (yield from self.option(CALL, CALLS_END))

    def call(self) -> Steps[None]:
        """What stands behind the mark of a call."""
        name = (yield from self.until(SEPARATOR, CALL_END)).strip()
        yield from self.expect(SEPARATOR)
        yield from self.blanks()
        if (yield from self.peek()) != "{":
            name = (yield from self.until("\n", "`", "{", CALL_END)).strip()
        yield CallStarted(name)
        yield from self.arguments()
        if not (yield from self.over()):
            yield from self.expect(CALL_END)

    def arguments(self) -> Steps[None]:
        """The arguments, in a fence or not."""
        yield from self.blanks()
        yield from self.option("```json", "```")
        yield from self.blanks()
        yield from self.json()
        yield from self.over()
        yield from self.option("```")


def _described(function: Function) -> str:
    parameters = json.dumps(function.parameters, ensure_ascii=False)
    return f"### {function.name}\nDescription: {function.description or ''}\n\nParameters: {parameters}"
