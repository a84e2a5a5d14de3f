"""Devstral, Magistral, Ministral 3 and Mistral Small since 3.2 (https://huggingface.co/mistralai)."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Final

from ovms_llm.grammar.formats import Format
from ovms_llm.grammar.write import literal
from ovms_llm.speech.formats.mistral import ARGUMENTS, CALLS, ID, Mistral
from ovms_llm.speech.functions import grammars
from ovms_llm.speech.functions.grammars import Frame, Opening
from ovms_llm.speech.functions.tools import Function

_HEAD: Final = f"root ::= ({literal(ID)} [a-zA-Z0-9]{{9}})? {literal(ARGUMENTS)} arguments-root\n"


class Devstral(Mistral):
    """A mark, the function's name, an id perhaps, another mark, and the arguments: all of it for each call."""

    name = "devstral"
    listed = False

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By the mark of arguments."""
        return f"its chat template writes {CALLS} and {ARGUMENTS}" if ARGUMENTS in template else None

    def calls(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Calls, one behind the other."""
        frames = [Frame(CALLS + call.begin, call.body, call.end) for call in _frames(functions)]
        return grammars.calls(frames, many=many)

    def answer(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Any text, in which the mark begins a call."""
        return grammars.answer(_frames(functions), [Opening(CALLS)], many=many)


def _frames(functions: Sequence[Function]) -> list[Frame]:
    return [
        Frame(each.name, _HEAD + grammars.renamed(grammars.arguments_ebnf(each), "arguments"), "") for each in functions
    ]
