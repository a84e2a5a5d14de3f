"""No sequence is submitted before its grammar is compiled: GenAI would compile it in its step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ovms_core.engine import RequestError
from ovms_llm.engine.compiler import Compiler
from ovms_llm.engine.request_state import RequestState
from ovms_llm.engine.sequence import Sequence

_PAUSE: Final = 0.005


class GrammarGate:
    """Lets sequences pass whose grammars `compiler` knows, and has the others compiled.

    Most are known when they come here: `prepare` has waited for them. Not so one that was thrown away meanwhile, and
    that of a sequence which was put back.
    """

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler
        self._refused: list[tuple[RequestState, RequestError]] = []

    def admits(self, sequence: Sequence) -> bool:
        """Whether `sequence` may be submitted; its grammar is then kept until its first token."""
        if sequence.grammar is None:
            return True
        sequence.pin = self._compiler.pin(sequence.grammar)
        if sequence.pin is not None:
            return True
        try:
            if sequence.compilation is None or self._has_ended(sequence):
                sequence.compilation = self._compiler.compile(sequence.grammar)
        except RequestError as error:
            self._refused.append((sequence.request, error))
        return False

    def refused(self) -> list[tuple[RequestState, RequestError]]:
        """The requests whose grammars are bad or took too long, since the last call."""
        refused, self._refused = self._refused, []
        return refused

    def wait(self, sequences: Iterable[Sequence]) -> None:
        """Wait a little for the first grammar that one of `sequences` waits for."""
        compilation = next(filter(None, (sequence.compilation for sequence in sequences)), None)
        if compilation is not None:
            compilation.pause(_PAUSE)

    def _has_ended(self, sequence: Sequence) -> bool:
        compilation = sequence.compilation
        return compilation is not None and self._compiler.ready(compilation, sequence.request.course.param)
