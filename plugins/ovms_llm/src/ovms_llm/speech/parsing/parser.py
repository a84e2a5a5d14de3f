"""Parsers of speech: from a model's text, piece by piece, to what it means.

The text comes as it is generated, cut anywhere. A parser gives what is certain at once and holds back no more than what
could still become a marker; what it has given, it never takes back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from ovms_llm.messages import Channel


@dataclass(frozen=True, slots=True)
class Words:
    """Text for the reader, or of a thought."""

    text: str
    channel: Channel = "content"


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A tool call begins. `id` is the model's own, where its format has one."""

    name: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Arguments:
    """A piece of the arguments of the call that began last: JSON text."""

    text: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """A call that the model wrote wrongly, as it wrote it: shown as content, and told in ``stop_reason``."""

    text: str


Piece = Words | CallStarted | Arguments | Malformed


class SpeechParser(ABC):
    """Reads one answer."""

    def passes(self, text: str) -> bool:
        """Whether `text`, if it came next, would be given at once as it is: it then need not be fed.

        Most of what models say is plain text, so this is worth being quick about. A parser may always say no.
        """
        return False

    @abstractmethod
    def feed(self, text: str) -> Iterator[Piece]:
        """What `text` adds."""

    @abstractmethod
    def finish(self) -> Iterator[Piece]:
        """What was held back when the answer ended."""
