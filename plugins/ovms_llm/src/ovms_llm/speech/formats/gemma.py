"""Gemma 3 (https://ai.google.dev/gemma/docs/capabilities/function-calling)."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from typing import Final

from ovms_llm.grammar import formats
from ovms_llm.grammar.formats import Format
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.parsing.parser import SpeechParser
from ovms_llm.speech.parsing.script import Steps
from ovms_llm.speech.pythonic import PythonicScript, python_calls

_FENCE, _FENCE_END = "```tool_code", "```"

_HOW: Final = """You have access to these functions, one a line:
{functions}
If you decide to call one or more of them, you MUST write it as Python code in a block like this, and nothing else:
```tool_code
function_name(parameter_name="value", other_parameter=1)
```
You get the results in the next message. Call no function where you can answer without."""


class Gemma(SpeechFormat):
    """Gemma's template knows no tools: it is asked for calls as in Python, in a block of ``tool_code``.

    The list of calls that Google's guide asks for, ``[name(parameter=value)]``, is understood as well.
    """

    name = "gemma"

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By its turns, where it is not one of its successors that have marks for calls."""
        own = "<start_of_turn>" in template and "<start_function_call>" not in template
        return "its chat template is Gemma's" if own else None

    def parser(self, functions: Sequence[Function], *, guided: bool) -> SpeechParser:
        """Blocks of calls, or one list of them."""
        return CodeBlocks(functions, guided=guided)

    def calls(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Calls and their marks."""
        return python_calls(functions, many=many, opening=f"{_FENCE}\n", separator="\n", closing=f"\n{_FENCE_END}")

    def answer(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Any text, in which the mark begins calls."""
        calls = python_calls(functions, many=many, opening="\n", separator="\n", closing="\n")
        return formats.triggered([_FENCE], [formats.tag(_FENCE, calls, _FENCE_END)], once=not many)

    def instructions(self, functions: Sequence[Function]) -> str:
        """Functions as JSON, and how to call them."""
        return _HOW.format(functions="\n".join(map(_described, functions)))


class CodeBlocks(PythonicScript):
    """Reads text and blocks of calls."""

    def steps(self) -> Steps[None]:
        """A list of calls at the beginning, or text and blocks."""
        if not (yield from self.over()):
            mark = yield from self.option(*(f"[{name}(" for name in self._functions))
            if mark is not None:
                self.take(-len(mark))
                yield from self.whole(self.calls_until("]", "[", ","))
        while mark := (yield from self.words(_FENCE)):
            yield from self.whole(self.calls_until(_FENCE_END), mark)

    def call(self) -> Steps[None]:
        """A call, which may stand in a call of ``print``."""
        printed = yield from self.option("print(")
        yield from super().call()
        if printed:
            yield from self.blanks()
            yield from self.expect(")")


def _described(function: Function) -> str:
    return json.dumps(function.for_template()["function"], ensure_ascii=False)
