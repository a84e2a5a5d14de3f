"""Which functions a grammar can hold: what of their schemas is enforced, within the operator's limits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ovms_llm.fields.output_format import refusal
from ovms_llm.fields.sampling import GenerationBody
from ovms_llm.grammar.common import common_sizes
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.guides import Enforced, Output, format_of
from ovms_llm.grammar.limits import Limits
from ovms_llm.speech.functions.tools import Function

ANY_OBJECT: Final = {"type": "object"}


@dataclass(frozen=True, slots=True)
class Admitted:
    """The functions as grammars get them, and the paths in the request of what is not enforced."""

    functions: tuple[Function, ...]
    unenforced: tuple[str, ...] = ()


def admitted(functions: Sequence[Function], body: GenerationBody, limits: Limits) -> Admitted:
    """`functions`, of which those that are not strict and too much for `limits` take any object.

    The limit of size is for all of them together; what several have in common counts once. Raises `APIError`
    400 for a strict one that cannot be enforced.
    """
    admission = _Admission(body, limits)
    strict_first = sorted(functions, key=lambda function: not function.strict)
    taken = {function.name: admission.take(function) for function in strict_first}
    return Admitted(tuple(taken[function.name] for function in functions), tuple(admission.unenforced))


class _Admission:
    def __init__(self, body: GenerationBody, limits: Limits) -> None:
        self.unenforced: list[str] = []
        self._body = body
        self._limits = limits
        self._left = limits.size
        self._counted = set[str]()
        self._common: set[str] = set()

    def take(self, function: Function) -> Function:
        path = self._body.schema_path(function.name)
        try:
            made = self._made(function)
        except GrammarError as error:
            if function.strict:
                raise refusal(error, path) from None
            self.unenforced.append(path)
            return replace(function, parameters=ANY_OBJECT)
        self.unenforced += [path + pointer for pointer in made.unenforced]
        return function

    def _made(self, function: Function) -> Enforced:
        """The grammar of `function`, if there is room for it; what others have brought already costs nothing more."""
        made = format_of(Output("json_schema", function.parameters, function.strict), self._limits)
        grammar = json.dumps(made.format)
        fresh = made.size - sum(common_sizes()[name] for name in made.common & self._common)
        size = 0 if grammar in self._counted else fresh
        if size > self._left:
            raise GrammarError(f"The functions together are too large: their size is over {self._limits.size}.")
        self._left -= size
        self._common |= made.common
        self._counted.add(grammar)
        return made
