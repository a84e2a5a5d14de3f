"""A model's thought: where a prompt leaves it, and when it begins and ends in what is generated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Final

from ovms_llm.messages import Chat, Prompt, Thinking

_TAIL: Final = 24
"""Tokens in which a marker is looked for: markers have few."""

_TAG: Final = re.compile(r"</\S+>|\[/\S+\]")


def forced(closing: str) -> str:
    """The marker `closing` as it is put behind a thought that must end.

    A tag stands on a line of its own, with a blank line behind it: so Qwen's models were trained for budgets of thought
    (https://qwen.readthedocs.io/en/latest/getting_started/quickstart.html#thinking-budget), and others write it, too.
    """
    return f"\n{closing}\n\n" if _TAG.fullmatch(closing) else closing


class Ending(Enum):
    """What a prompt says about a thought: it has opened one, has closed it already, or leaves it to the model."""

    OPEN = "open"
    CLOSED = "closed"
    FREE = "free"


def ending_of(prompt: Prompt, text: str, thinking: Thinking) -> Ending:
    """How `prompt`, which is `text`, ends.

    In a conversation only a thought counts that begins the answer: what a user has quoted is none.
    """
    opening, closing = thinking.opening.strip(), thinking.closing.strip()
    _, opened, behind = text.rpartition(opening)
    quoted = isinstance(prompt, Chat) and not prompt.continue_final_message and behind.strip()
    if opened and closing not in behind and not quoted:
        return Ending.OPEN
    return Ending.CLOSED if text.rstrip().endswith(closing) else Ending.FREE


class Turn(Enum):
    """What new tokens come to."""

    NONE = "none"
    ANSWERS = "answers"
    OPENED = "opened"
    CLOSED = "closed"
    EXHAUSTED = "exhausted"


class Thought:
    """Follows a sequence's tokens from the beginning until its thought is over, or it has begun to answer without one.

    `decode` gives the text of tokens, special ones too.
    """

    __slots__ = ("_budget", "_closing", "_decode", "_opening", "_tail", "begun", "spent")

    def __init__(self, thinking: Thinking, ending: Ending, decode: Callable[[list[int]], str]) -> None:
        self._opening = thinking.opening.strip()
        self._closing = thinking.closing.strip()
        self._budget = thinking.budget
        self._decode = decode
        self._tail: list[int] = []
        self.begun = ending is Ending.OPEN
        self.spent = 0

    @property
    def exhausted(self) -> bool:
        """Whether no token of the budget is left."""
        return self.begun and self._budget is not None and self.spent >= self._budget

    def feed(self, tokens: Iterable[int]) -> Turn:
        """Take in new tokens."""
        fresh = list(tokens)
        self._tail = (self._tail + fresh)[-_TAIL:]
        text = self._decode(self._tail)
        if not self.begun:
            return self._begin(text.lstrip())
        self.spent += len(fresh)
        if self._closing in text:
            return Turn.CLOSED
        return Turn.EXHAUSTED if self.exhausted else Turn.NONE

    def _begin(self, text: str) -> Turn:
        if text.startswith(self._opening):
            self.begun = True
            self._tail = []
            return Turn.EXHAUSTED if self.exhausted else Turn.OPENED
        return Turn.NONE if self._opening.startswith(text) else Turn.ANSWERS
