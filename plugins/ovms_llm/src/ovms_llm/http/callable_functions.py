"""The functions of a request, as far as a grammar can hold calls to their schemas."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from ovms_core.plugin import APIError, give_way
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.guides import arguments
from ovms_llm.grammar.limits import Limits
from ovms_llm.http.sampling import GenerationBody
from ovms_llm.speech.tools import Function

_ANY_OBJECT: Final = {"type": "object"}


class Enforceable:
    """`functions` whose schemas can be enforced, one by one and all together.

    Those of a request are made so: where one is not strict, what cannot be enforced is let go, and its place in the
    body is in `ignored`. Raises `APIError` 400 with that place where one is strict.
    """

    def __init__(self, functions: Iterable[Function], body: GenerationBody, limits: Limits) -> None:
        self._body = body
        self._limits = limits
        self._left = limits.characters
        self.ignored: list[str] = []
        self.functions = tuple(map(self._enforceable, functions))

    def _enforceable(self, function: Function) -> Function:
        give_way()
        try:
            ebnf, unenforced = arguments(function, self._limits)
            self._spend(len(ebnf))
        except GrammarError as error:
            return self._let_go(function, error)
        self.ignored += [self._path(function, pointer) for pointer in unenforced]
        return replace(function, parameters=_ANY_OBJECT) if "" in unenforced else function

    def _spend(self, characters: int) -> None:
        """All functions are in one grammar, which must not grow without bounds."""
        if characters > self._left:
            most = self._limits.characters
            raise GrammarError(f"the functions together make a grammar of over {most} characters; send fewer of them")
        self._left -= characters

    def _let_go(self, function: Function, error: GrammarError) -> Function:
        path = self._path(function, error.pointer)
        if function.strict:
            message = f"The parameters of function '{function.name}' cannot be enforced: {error.message}"
            raise APIError(400, message, param=path, code="invalid_value") from None
        self.ignored.append(path)
        return replace(function, parameters=_ANY_OBJECT)

    def _path(self, function: Function, pointer: str) -> str:
        return f"{self._body.schema_path(function.name)}{pointer}"
