"""The course of an answer: which grammar each part of it follows, and how its thought is marked and bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ovms_llm.engine.compiler import grammar_text
from ovms_llm.engine.thought import Ending, Thought, ending_of
from ovms_llm.grammar.formats import either, grammar, sequence, text
from ovms_llm.messages import Channel, Generate, Guide, Thinking

_BLANKS: Final = grammar("root ::= [ \\n]{0,4}\n")
"""What may stand between a thought and a guided answer: models were trained on blank lines there."""


@dataclass(frozen=True, slots=True)
class Course:
    """An answer begins with grammar `first`; `answer` is the one behind its thought. `None` is free text.

    So a thought itself is always free, and the sequence is submitted again behind it. Where the model may think but
    need not, the first grammar ends with the marker that opens a thought. `closing` are the tokens by which a
    thought is ended, and `visible` those special tokens that are shown. `param` names the request's field.
    """

    first: str | None = None
    answer: str | None = None
    param: str = ""
    ending: Ending = Ending.CLOSED
    thinking: Thinking | None = None
    closing: tuple[int, ...] = ()
    visible: frozenset[int] = frozenset()

    @property
    def guided(self) -> bool:
        """Whether the answer follows a grammar."""
        return self.answer is not None

    @property
    def grammars(self) -> list[str]:
        """All that have to be compiled."""
        return list(dict.fromkeys(filter(None, (self.first, self.answer))))

    @property
    def channel(self) -> Channel:
        """What the answer begins with."""
        return "reasoning" if self.ending is Ending.OPEN else "content"

    def thought(self, decode: Callable[[list[int]], str]) -> Thought | None:
        """Who follows the thought of a sequence, where there may be one and something hangs on its end."""
        thinking = self.thinking
        if thinking is None or self.ending is Ending.CLOSED or not (self.guided or thinking.budget is not None):
            return None
        return Thought(thinking, self.ending, decode)


def ending_in(request: Generate, prompt_text: str) -> Ending:
    """How the prompt of `request` leaves the model's thought."""
    return Ending.CLOSED if request.thinking is None else ending_of(request.prompt, prompt_text, request.thinking)


def answers_of(guide: Guide, thinking: Thinking | None) -> Iterator[str]:
    """The grammars that an answer may have, however its prompt ends."""
    if thinking is not None:
        yield _behind(guide)
    yield grammar_text(guide.format)


def _behind(guide: Guide) -> str:
    return grammar_text(sequence(_BLANKS, guide.format))


def grammars_of(guide: Guide | None, thinking: Thinking | None, ending: Ending) -> tuple[str | None, str | None]:
    """The first grammar of an answer, and the one behind its thought."""
    if guide is None:
        return None, None
    plain = grammar_text(guide.format)
    if thinking is None or ending is Ending.CLOSED:
        return plain, plain
    behind = _behind(guide)
    if ending is Ending.OPEN:
        return None, behind
    return grammar_text(either(text(thinking.opening.strip()), guide.format)), behind
