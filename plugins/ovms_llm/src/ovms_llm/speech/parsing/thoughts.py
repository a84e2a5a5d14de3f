"""Telling a model's thoughts from its answer."""

from __future__ import annotations

from collections.abc import Iterator

from ovms_llm.messages import Channel, Thinking
from ovms_llm.speech.parsing.markers import certain, held_back, is_plain
from ovms_llm.speech.parsing.parser import SpeechParser, Words


class Thoughts(SpeechParser):
    """Reads an answer up to the end of its thought, and gives the rest as it is.

    A thought stands in front of the answer, between the markers of `thinking`. `channel` is "reasoning" where the
    prompt has opened it. White space around the markers is no part of either. A model that opens no thought says
    content from the start; if it closes one all the same, the marker is dropped.
    """

    def __init__(self, thinking: Thinking | None, channel: Channel = "content") -> None:
        self._thinking = thinking or Thinking("", "")
        self._read = self._thought if channel == "reasoning" else self._beginning
        if thinking is None:
            self._read = self._rest
        self._held = ""
        self._stripping = channel == "reasoning"

    @property
    def channel(self) -> Channel:
        """What comes next belongs to."""
        return "reasoning" if self._read == self._thought else "content"

    def passes(self, text: str) -> bool:
        """Whether all of `text` belongs to `channel`."""
        if self._held or self._stripping or self._read == self._beginning:
            return False
        return self._read == self._rest or is_plain(text, (self._thinking.closing,))

    def feed(self, text: str) -> Iterator[Words]:
        """What `text` adds."""
        self._held += text
        while self._held:
            before = self._read
            yield from before()
            if self._read == before:
                return

    def finish(self) -> Iterator[Words]:
        """What was held back when the answer ended."""
        text, self._held = self._held.lstrip() if self._stripping else self._held, ""
        if text:
            yield Words(text, self.channel)

    def _beginning(self) -> Iterator[Words]:
        begun, opening = self._held.lstrip(), self._thinking.opening
        if begun.startswith(opening):
            self._held, self._stripping, self._read = begun[len(opening) :], True, self._thought
        elif not opening.startswith(begun):
            self._held = begun if self._stripping else self._held
            self._read, self._stripping = self._rest if self._stripping else self._answer, False
        yield from ()

    def _thought(self) -> Iterator[Words]:
        if self._stripping and not self._thought_begun():
            return
        thought, closing, rest = self._held.partition(self._thinking.closing)
        if closing:
            self._held, self._stripping, self._read = rest, True, self._beginning
            yield from _words(thought.rstrip(), "reasoning")
        else:
            yield from self._give(certain(self._held, (self._thinking.closing,)), "reasoning")

    def _thought_begun(self) -> bool:
        """Drop white space, and the opening marker of a model that repeats what its prompt ends with."""
        self._held, opening = self._held.lstrip(), self._thinking.opening
        if opening.startswith(self._held):
            self._held = "" if self._held == opening else self._held
            return False
        self._held = self._held.removeprefix(opening).lstrip()
        self._stripping = not self._held
        return not self._stripping

    def _answer(self) -> Iterator[Words]:
        answer, closing, rest = self._held.partition(self._thinking.closing)
        if closing:
            self._held, self._stripping, self._read = rest, True, self._beginning
            yield from _words(answer, "content")
        else:
            yield from self._give(len(answer) - held_back(answer, (self._thinking.closing,)), "content")

    def _rest(self) -> Iterator[Words]:
        yield from self._give(len(self._held), "content")

    def _give(self, length: int, channel: Channel) -> Iterator[Words]:
        text, self._held = self._held[:length], self._held[length:]
        yield from _words(text, channel)


def _words(text: str, channel: Channel) -> Iterator[Words]:
    if text:
        yield Words(text, channel)
