"""Calls in JSON that begin an answer without any marker."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from ovms_llm.speech.parsing.calls import CallReader, WholeCalls, read_json
from ovms_llm.speech.parsing.parser import Malformed, Piece, SpeechParser, Words

_SPACE: Final = re.compile(r"\s+")
_BEGINNINGS: Final = ('{"name":', '{"type":"function"', '{"function":', '{"parameters":', '[{"name":')


class BareCalls(SpeechParser):
    """Reads an answer that is JSON calls from its first character on; `other` reads all other answers.

    JSON that calls no function in `known` is an answer. `begun` are texts that `other` knows to begin a call.
    """

    def __init__(self, other: SpeechParser, known: Collection[str], begun: Sequence[str] = ()) -> None:
        self._other = other
        self._known = known
        self._begun = begun
        self._held = ""
        self._feed: Callable[[str], Iterator[Piece]] | None = None
        self._calls: CallReader | None = None

    def passes(self, text: str) -> bool:
        """Whether `text` is words."""
        return self._feed is not None and self._calls is None and self._other.passes(text)

    def feed(self, text: str) -> Iterator[Piece]:
        """What `text` adds."""
        self._held += text
        if self._feed is None:
            self._feed = self._decided()
        if self._feed is not None:
            held, self._held = self._held, ""
            yield from self._feed(held)

    def finish(self) -> Iterator[Piece]:
        """What was held back when the answer ended."""
        if self._calls is not None:
            yield from self._calls.finish()
            return
        yield from self._other.feed(self._held)
        yield from self._other.finish()

    def _decided(self) -> Callable[[str], Iterator[Piece]] | None:
        """Who reads the answer; `None` while that is open."""
        text = self._held.lstrip()
        compact = _SPACE.sub("", text)
        if any(text.startswith(each) for each in self._begun):
            return self._other.feed
        if any(each.startswith(text) for each in self._begun) or any(each.startswith(compact) for each in _BEGINNINGS):
            return None
        if any(compact.startswith(each) for each in _BEGINNINGS):
            self._calls = _LooseCalls("", "", read_json, self._known)
            return self._calls.feed
        return self._other.feed


class _LooseCalls(WholeCalls):
    """JSON, held back until the answer's end; broken calls of functions that exist are malformed, all else is text."""

    def finish(self) -> Iterator[Piece]:
        """The calls, or the text."""
        for piece in super().finish():
            broken = isinstance(piece, Malformed) and not self._calls_something(piece.text)
            yield Words(piece.text) if isinstance(piece, Malformed) and broken else piece

    def _calls_something(self, text: str) -> bool:
        return any(re.search(rf'"name"\s*:\s*"{re.escape(name)}"', text) for name in self._known)
