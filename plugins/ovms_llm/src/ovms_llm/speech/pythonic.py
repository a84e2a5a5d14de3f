"""Calls written as in Python: ``get_weather(city="Paris", days=3)``.

Values may be written as in Python or as in JSON. A value without a name belongs to the parameter in its place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ovms_llm.grammar.formats import Format
from ovms_llm.speech.functions import grammars, parameter_grammars
from ovms_llm.speech.functions.grammars import Frame
from ovms_llm.speech.functions.literals import Broken, constant, written
from ovms_llm.speech.functions.parameters import properties
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.parsing.parser import Arguments, CallStarted
from ovms_llm.speech.parsing.script import Script, Steps

_NAME = re.compile(r"""[^\s()\[\]{},=:'"]+""")
_DEPTH = 64


def python_calls(
    functions: Sequence[Function], *, many: bool, opening: str = "", separator: str = "", closing: str = ""
) -> Format:
    """The format of one call in Python's notation, or `many`, between two texts; values are written as JSON."""
    return grammars.calls(python_frames(functions), many=many, opening=opening, separator=separator, closing=closing)


def python_frames(functions: Sequence[Function]) -> list[Frame]:
    """Calls in Python's notation; values are written as JSON."""
    return [Frame(f"{each.name}(", parameter_grammars.parameters(each, _keyword, ", "), ")") for each in functions]


def _keyword(function: Function, name: str, schema: Any) -> str:
    return parameter_grammars.after(f"{name}=", parameter_grammars.value(function, name, schema))


class PythonicScript(Script):
    """Reads calls in Python's notation."""

    def call(self) -> Steps[None]:
        """One call, given argument by argument."""
        name = self.named((yield from self.read(_NAME)))
        yield from self.blanks()
        yield from self.expect("(")
        yield CallStarted(name)
        parameters = list(properties(self._functions[name])) if name in self._functions else []
        lead, place = "{", 0
        while not (yield from self.closing(")")):
            key, value = yield from self.argument(parameters, place)
            yield Arguments(f"{lead}{written(key)}: {value}")
            lead, place = ", ", place + 1
            yield from self.comma(")")
        yield Arguments("{}" if lead == "{" else "}")

    def named(self, name: str) -> str:
        """The function that `name` means: some models put the name of a module before it."""
        return name if name in self._functions else name.rpartition(".")[2]

    def calls_until(self, end: str, *between: str) -> Steps[None]:
        """Calls up to `end` or the answer's end, with any of `between` around them."""
        while not (yield from self.over()):
            mark = yield from self.option(end, *between)
            if mark == end:
                return
            if mark is None:
                yield from self.call()

    def argument(self, parameters: Sequence[str], place: int) -> Steps[tuple[str, str]]:
        """The name of an argument and its value as JSON text."""
        if (yield from self.peek()) not in "\"'[{(":
            word = yield from self.read(_NAME)
            yield from self.blanks()
            if (yield from self.option("=")):
                yield from self.blanks()
                return word, (yield from self.value())
            value = constant(word)
        else:
            value = yield from self.value()
        if place >= len(parameters):
            raise Broken
        return parameters[place], value

    def value(self, depth: int = 0) -> Steps[str]:
        """A value, as JSON text."""
        if depth > _DEPTH:
            raise Broken
        match (yield from self.peek()):
            case "[":
                return (yield from self.items("[", "]", depth))
            case "(":
                return (yield from self.items("(", ")", depth))
            case "{":
                return (yield from self.pairs(depth))
            case '"' | "'":
                return written((yield from self.quoted()))
            case _:
                return constant((yield from self.read(_NAME)))

    def items(self, begin: str, end: str, depth: int) -> Steps[str]:
        """A list or a tuple."""
        yield from self.expect(begin)
        items = []
        while not (yield from self.closing(end)):
            items.append((yield from self.value(depth + 1)))
            yield from self.comma(end)
        return f"[{', '.join(items)}]"

    def pairs(self, depth: int) -> Steps[str]:
        """A dictionary."""
        yield from self.expect("{")
        pairs = []
        while not (yield from self.closing("}")):
            key = yield from self.value(depth + 1)
            yield from self.blanks()
            yield from self.expect(":")
            yield from self.blanks()
            value = yield from self.value(depth + 1)
            pairs.append(f"{key if key.startswith(chr(34)) else written(key)}: {value}")
            yield from self.comma("}")
        return f"{{{', '.join(pairs)}}}"
