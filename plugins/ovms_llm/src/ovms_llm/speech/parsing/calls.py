"""Parsers of calls that stand between markers, and of calls that are JSON objects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from typing import Final, NamedTuple

from ovms_llm.speech.parsing import json_text
from ovms_llm.speech.parsing.markers import certain, earliest, is_plain
from ovms_llm.speech.parsing.parser import Arguments, CallStarted, Malformed, Piece, SpeechParser, Words


class Call(NamedTuple):
    """A call that has been read whole; `arguments` is a JSON object."""

    name: str
    arguments: str
    id: str | None = None


class Keys(NamedTuple):
    """How the members of a call's JSON object are called."""

    name: tuple[str, ...] = ("name",)
    arguments: tuple[str, ...] = ("arguments", "parameters")
    id: tuple[str, ...] = ("id",)


KEYS: Final = Keys()


class CallReader(ABC):
    """Reads what stands behind the opening marker of a call, or of several."""

    rest: str | None = None
    """The text behind the calls, once they have ended."""

    @abstractmethod
    def feed(self, text: str) -> Iterator[Piece]:
        """What `text` adds."""

    @abstractmethod
    def finish(self) -> Iterator[Piece]:
        """What was held back when the answer ended; sets `rest` if there is more to read."""


class MarkedParser(SpeechParser):
    """Reads text with calls in it, each begun by one of `openings` and read by a `reader` of its own.

    White space around calls is dropped, unless it is between text and text.
    """

    def __init__(self, openings: Sequence[str], reader: Callable[[str], CallReader]) -> None:
        self._openings = tuple(openings)
        self._new_reader = reader
        self._reader: CallReader | None = None
        self._held = ""
        self._space = ""
        self._called = False

    def passes(self, text: str) -> bool:
        """Whether `text` is words."""
        return self._reader is None and not self._held and is_plain(text, self._openings)

    def feed(self, text: str) -> Iterator[Piece]:
        """What `text` adds."""
        rest: str | None = text
        while rest:
            rest = yield from self._words(rest) if self._reader is None else self._call(self._reader, rest)

    def finish(self) -> Iterator[Piece]:
        """What was held back when the answer ended."""
        while (reader := self._reader) is not None:
            yield from self._pieces(reader.finish())
            self._reader = None
            yield from self.feed(reader.rest or "")
        text, self._held = self._held, ""
        if text and not (self._called and text.isspace()):
            yield Words(text)

    def _words(self, text: str) -> Generator[Piece, None, str | None]:
        self._held += text
        found = earliest(self._held, self._openings)
        if found is None:
            yield from self._give(certain(self._held, self._openings))
            return None
        at, opening = found
        rest = self._held[at + len(opening) :]
        yield from self._give(len(self._held[:at].rstrip()))
        self._space = self._held[: len(self._held) - len(opening) - len(rest)]
        self._held, self._called, self._reader = "", True, self._new_reader(opening)
        return rest

    def _give(self, length: int) -> Iterator[Piece]:
        text, self._held = self._held[:length], self._held[length:]
        if text:
            yield Words(text)

    def _call(self, reader: CallReader, text: str) -> Generator[Piece, None, str | None]:
        yield from self._pieces(reader.feed(text))
        if reader.rest is not None:
            self._reader = None
        return reader.rest

    def _pieces(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """`pieces`, where white space stays in front of what is text after all."""
        for piece in pieces:
            yield Malformed(self._space + piece.text) if isinstance(piece, Malformed) else piece
            self._space = ""


class WholeCalls(CallReader):
    """Holds calls back until they are whole and can be read; else they are malformed.

    `read` takes the text up to `closing` and raises `ValueError` for what are no calls. `closing` may stand in an
    argument as well: it counts where what is in front of it can be read. With no `closing`, or where the model has left
    it out, the answer's end is the calls' end. Only functions in `known` can be called.
    """

    def __init__(
        self, opening: str, closing: str, read: Callable[[str], Sequence[Call]], known: Collection[str]
    ) -> None:
        self._opening = opening
        self._closing = closing
        self._read = read
        self._known = known
        self._text = ""
        self._searched = 0

    def feed(self, text: str) -> Iterator[Piece]:
        """What `text` adds."""
        self._text += text
        while self._closing and (end := self._text.find(self._closing, self._searched)) >= 0:
            self._searched = end + len(self._closing)
            if (calls := self._calls(self._text[:end])) is not None:
                self.rest = self._text[self._searched :]
                yield from self._pieces(calls, self._text[: self._searched])
                return
        self._searched = max(self._searched, len(self._text) - len(self._closing) + 1)

    def finish(self) -> Iterator[Piece]:
        """What was held back when the answer ended."""
        if (calls := self._calls(self._text)) is not None:
            yield from self._pieces(calls, self._text)
            return
        before, closing, self.rest = self._text.partition(self._closing) if self._closing else (self._text, "", "")
        yield Malformed(self._opening + before + closing)

    def _calls(self, text: str) -> Sequence[Call] | None:
        try:
            return self._read(text) or None
        except (ValueError, RecursionError):
            return None

    def _pieces(self, calls: Sequence[Call], text: str) -> Iterator[Piece]:
        if any(call.name not in self._known for call in calls):
            yield Malformed(self._opening + text)
            return
        for call in calls:
            yield CallStarted(call.name, call.id)
            yield Arguments(call.arguments)


class StreamedCalls(CallReader):
    """Reads JSON calls that are well-formed, and gives their arguments as they come."""

    def __init__(self, closing: str, keys: Keys = KEYS, begun: str = "") -> None:
        self._closing = closing
        self._keys = keys
        self._call: JsonCall | None = None
        self._held = begun

    def feed(self, text: str) -> Iterator[Piece]:
        """What `text` adds."""
        self._held += text
        while self._held and self.rest is None:
            if self._call is None and not self._next():
                return
            if self._call is not None:
                yield from self._read(self._call)

    def finish(self) -> Iterator[Piece]:
        """Nothing: a call that was cut off stays as it is."""
        yield from ()

    def _next(self) -> bool:
        self._held = json_text.behind_separators(self._held)
        if self._held.startswith("{"):
            self._call = JsonCall(self._keys)
            return True
        if self._closing and self._held.startswith(self._closing):
            self.rest = self._held[len(self._closing) :]
        elif self._held and not self._closing:
            self.rest = self._held
        return False

    def _read(self, call: JsonCall) -> Iterator[Piece]:
        text, self._held = self._held, ""
        yield from call.feed(text)
        if call.rest is not None:
            self._held, self._call = call.rest, None


class JsonCall:
    """Reads one call that is a JSON object, in whichever order its members come.

    `rest` is the text behind the object, once it has ended.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._members = json_text.Members()
        self._name = ""
        self._started = False
        self._held = ""
        self._wrapped: bool | None = None

    @property
    def rest(self) -> str | None:
        """The text behind the call."""
        return self._members.rest

    def feed(self, text: str) -> Iterator[Piece]:
        """What `text` adds to the call."""
        for key, piece, last in self._members.feed(text):
            if key in self._keys.name and not self._started:
                yield from self._add_to_name(piece, last)
            elif key in self._keys.arguments:
                yield from self._add_to_arguments(piece, last)

    def _add_to_name(self, piece: str, last: bool) -> Iterator[Piece]:
        self._name += piece
        if last:
            self._started = True
            yield CallStarted(_name(self._name))
            yield from self._arguments(whole=True)  # what came before the name came whole

    def _add_to_arguments(self, piece: str, last: bool) -> Iterator[Piece]:
        self._held += piece
        if self._wrapped is None:
            self._wrapped = piece.startswith('"')
        yield from self._arguments(whole=last)

    def _arguments(self, whole: bool) -> Iterator[Piece]:
        if not self._started or not self._held or (self._wrapped and not whole):
            return
        text, self._held = json_text.unwrapped(self._held) if self._wrapped else self._held, ""
        yield Arguments(text)


def _name(text: str) -> str:
    """The name that `text` is as JSON; `text` itself where it is no JSON, which no grammar makes."""
    try:
        return str(json_text.load(text))
    except ValueError:
        return text


def read_json(text: str, keys: Keys = KEYS) -> list[Call]:
    """The JSON calls that `text` consists of, one or several. Raises `ValueError` for anything else."""
    return [_call(json_text.members(each), keys) for each in json_text.objects(text)]


def _call(members: dict[str, str], keys: Keys) -> Call:
    name, arguments, id = (
        next((members[key] for key in wanted if key in members), None)
        for wanted in (keys.name, keys.arguments, keys.id)
    )
    if name is None or not name.startswith('"'):
        raise ValueError("a call has no name")
    arguments = "{}" if arguments in (None, "null") else json_text.unwrapped(arguments or "")
    if not json_text.is_object(arguments):
        raise ValueError("the arguments are no object")
    return Call(str(json_text.load(name)), arguments, _text(id))


def _text(value: str | None) -> str | None:
    return str(json_text.load(value)) if value is not None and value.startswith('"') else None
