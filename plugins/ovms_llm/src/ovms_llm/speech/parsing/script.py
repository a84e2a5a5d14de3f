"""Parsers written as one generator that reads its text from front to back and pauses where the text ends for now.

So a format's parser reads like its grammar, and cutting the text elsewhere cannot change what it gives::

    class ParrotParser(Script):
        def steps(self) -> Steps[None]:
            while mark := (yield from self.words("<call>")):
                yield from self.whole(self.call(), mark)

        def call(self) -> Steps[None]:
            yield CallStarted((yield from self.until("(")).strip())
            yield from self.json()
            yield from self.expect(")</call>")
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Generator, Iterable, Iterator
from functools import lru_cache
from typing import TypeVar

from ovms_llm.messages import Channel
from ovms_llm.speech.functions.literals import Broken, unescaped, written
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.parsing.json_text import Extent
from ovms_llm.speech.parsing.markers import held_back, is_plain
from ovms_llm.speech.parsing.parser import Arguments, CallStarted, Malformed, Piece, SpeechParser, Words

T = TypeVar("T")
Steps = Generator[Piece | None, None, T]
"""What reading gives: pieces, `None` for "more text, please", and a result."""


class Script(SpeechParser):
    """A parser whose `steps` read the whole answer. Calls are held back until they are whole, unless `guided`."""

    def __init__(self, functions: Iterable[Function], *, guided: bool) -> None:
        self._functions = {each.name: each for each in functions}
        self._guided = guided
        self._buffer = ""
        self._at = 0
        self._ended = False
        self._called = False
        self._space = ""
        self._awaited: tuple[str, ...] | None = None
        self._running = self.steps()

    @abstractmethod
    def steps(self) -> Steps[None]:
        """Read the answer."""

    def passes(self, text: str) -> bool:
        return self._awaited is not None and not self._called and is_plain(text, self._awaited)

    def feed(self, text: str) -> Iterator[Piece]:
        self._buffer += text
        return self._given()

    def finish(self) -> Iterator[Piece]:
        self._ended = True
        return self._given()

    def _given(self) -> Iterator[Piece]:
        for piece in self._running:
            if piece is None:
                return
            yield piece

    # What steps are made of.

    def more(self) -> Steps[None]:
        """Wait for more text; it is `Broken` if the answer has ended."""
        if self._ended:
            raise Broken
        yield None

    def words(self, *marks: str, channel: Channel = "content") -> Steps[str | None]:
        """Give text up to the first of `marks`, read that and return it; `None` at the end of the answer.

        White space before a mark is dropped, and what follows a call.
        """
        pattern = _alternatives(marks)
        while True:
            if self._called:
                self._skip_blanks()
            found = pattern.search(self._buffer, self._at)
            keep = found.start() if found else self._certain(marks)
            text = self._buffer[self._at : keep]
            ready = text if self._ended and not found else text.rstrip()
            self._at += len(ready)
            if ready:
                self._called = False
                yield Words(ready, channel)
            if found:
                self._space = text[len(ready) :]
                self._forget(found.start())
                return self.take(len(found.group()))
            if self._ended:
                return None
            self._forget(self._at)
            self._awaited = None if self._buffer or channel != "content" else marks
            yield None
            self._awaited = None

    def _certain(self, marks: tuple[str, ...]) -> int:
        return len(self._buffer) - (0 if self._ended else held_back(self._buffer[self._at :], marks))

    def _forget(self, at: int) -> None:
        self._buffer, self._at = self._buffer[at:], 0

    def until(self, *ends: str) -> Steps[str]:
        """The text up to the first of `ends`, which is not read yet."""
        pattern, start = _alternatives(ends), self._at
        longest = max(map(len, ends))
        while not (found := pattern.search(self._buffer, start)):
            start = max(self._at, len(self._buffer) - longest + 1)
            yield from self.more()
        return self.take(found.start() - self._at)

    def take(self, length: int) -> str:
        """Read so many characters of what is here."""
        self._at += length
        return self._buffer[self._at - length : self._at]

    def peek(self) -> Steps[str]:
        """The next character, not read."""
        while self._at >= len(self._buffer):
            yield from self.more()
        return self._buffer[self._at]

    def blanks(self) -> Steps[None]:
        """Skip white space; something else has to follow."""
        while (yield from self.peek()).isspace():
            self._at += 1

    def _skip_blanks(self) -> None:
        rest = self._buffer[self._at :]
        self._at += len(rest) - len(rest.lstrip())

    def over(self) -> Steps[bool]:
        """Skip white space; whether the answer ends there."""
        while True:
            self._skip_blanks()
            if self._at < len(self._buffer):
                return False
            if self._ended:
                return True
            yield None

    def option(self, *options: str) -> Steps[str | None]:
        """The longest of `options` that follows, read; `None` if none does."""
        while True:
            rest = self._buffer[self._at : self._at + max(map(len, options))]
            if self._ended or not any(len(each) > len(rest) and each.startswith(rest) for each in options):
                break
            yield None
        following = max((each for each in options if rest.startswith(each)), key=len, default=None)
        self._at += len(following or "")
        return following

    def expect(self, *options: str) -> Steps[str]:
        """One of `options`, read."""
        following = yield from self.option(*options)
        if following is None:
            raise Broken
        return following

    def read(self, pattern: re.Pattern[str]) -> Steps[str]:
        """The longest text that fits `pattern`, known to be over by what follows."""
        while True:
            found = pattern.match(self._buffer, self._at)
            if found and found.end() < len(self._buffer):
                return self.take(found.end() - self._at)
            if not found and self._at < len(self._buffer):
                raise Broken
            yield from self.more()

    def json(self) -> Steps[None]:
        """A JSON object or list, given as arguments as it comes."""
        extent, end = Extent(), None
        if (yield from self.peek()) not in "{[":
            raise Broken
        while end is None:
            rest = self._buffer[self._at :]
            end = extent.feed(rest)
            if rest:
                yield Arguments(self.take(len(rest) if end is None else end))
            if end is None:
                yield from self.more()

    def json_text(self) -> Steps[str]:
        """A JSON object or list, whole."""
        texts = []
        for piece in self.json():
            if isinstance(piece, Arguments):
                texts.append(piece.text)
            else:
                yield piece
        return "".join(texts)

    def closing(self, end: str) -> Steps[bool]:
        """Whether `end` comes next, and is read."""
        yield from self.blanks()
        return (yield from self.option(end)) is not None

    def comma(self, end: str) -> Steps[None]:
        """A comma, or that `end` is next."""
        yield from self.blanks()
        if (yield from self.peek()) != end:
            yield from self.expect(",")

    def quoted(self) -> Steps[str]:
        """A string in quotes of any kind, as in JSON or in Python."""
        quote = yield from self.expect('"""', "'''", '"', "'")
        pattern, start = re.compile(rf"\\[\s\S]|{quote}"), self._at
        while not (found := pattern.search(self._buffer, start)) or found[0] != quote:
            if found:
                start = found.end()
            else:
                start = max(start, len(self._buffer) - max(len(quote) - 1, 1))
                yield from self.more()
        text = self.take(found.start() - self._at)
        self.take(len(quote))
        return unescaped(text)

    def text_until(self, *ends: str) -> Steps[None]:
        """Text up to the first of `ends`, which is read too, given as a JSON string as it comes."""
        yield Arguments('"')
        pattern = _alternatives(ends)
        while not (found := pattern.search(self._buffer, self._at)):
            rest = self._buffer[self._at :]
            if ready := self.take(len(rest) - held_back(rest, ends)):
                yield Arguments(written(ready)[1:-1])
            yield from self.more()
        yield Arguments(f'{written(self.take(found.start() - self._at))[1:-1]}"')
        self.take(len(found[0]))

    def whole(self, calls: Steps[None], opening: str = "") -> Steps[None]:
        """Read `calls`: at once where guided, else once all is there, each of a known function and with an object.

        What is broken is given as it was written, `opening` included, which has been read.
        """
        start, pieces = self._at - len(opening), list[Piece]()
        try:
            for piece in calls:
                self._know(piece)
                if piece is None or self._guided:
                    yield piece
                else:
                    pieces.append(piece)
            self._check(pieces)
        except (Broken, ValueError, RecursionError):
            yield from self._spoilt(start)
        else:
            self._called = True
            yield from pieces

    def _spoilt(self, start: int) -> Steps[None]:
        if self._guided and self._ended:
            self._at = len(self._buffer)
        else:
            self._called = False
            space, self._space = self._space, ""
            yield Malformed(space + self._buffer[start : self._at])

    def _know(self, piece: Piece | None) -> None:
        if isinstance(piece, CallStarted) and piece.name not in self._functions:
            raise Broken

    def _check(self, pieces: list[Piece]) -> None:
        arguments: list[str] = []
        for piece in [*pieces, None]:
            if isinstance(piece, Arguments):
                arguments.append(piece.text)
                continue
            if arguments and not isinstance(json.loads("".join(arguments)), dict):
                raise Broken
            arguments = []


@lru_cache(maxsize=256)
def _alternatives(texts: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(texts, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)))
