"""Large JSON, read a piece at a time: `from_json` holds the interpreter for as long as it reads, 65 ms for 6 MB.

The structure is followed as far as needed to cut it into pieces of some kilobytes, at the commas between elements;
`from_json` reads these. So what is valid, and what it means, is for `from_json` to say.
"""

from __future__ import annotations

import re
from typing import Any, Final

from pydantic_core import from_json

from ovms_core.errors import APIError
from ovms_core.off_loop import give_way

PIECE: Final = 32 << 10
"""Bytes that are read at once."""

MOST: Final = 50_000
"""Arrays and objects that a body may have: each is an object for the garbage collector, which holds everybody up."""

_DEEPEST: Final = 200
"""As deep as `from_json` goes."""
_LEVELS: Final = 6
"""Levels of nesting below an element that are cut with it; what is nested deeper is followed down to there."""

# Only runs of single characters are possessive: before Python 3.11.5, a possessive group that fails does not go back to
# where it began (gh-106052). There is one way only to read each pattern, so nothing is tried twice.
_PAIR: Final = rb"\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}"  # two halves of one character
_ESCAPED: Final = _PAIR + rb"|\\u(?![dD][89abAB])[\da-fA-F]{4}|\\[^u]"
_STRING: Final = rb'"(?:[^"\\]++|\\.)*"'


def _element(levels: int) -> bytes:
    """Anything up to the comma that follows, with brackets in balance."""
    within = rb'[^"\[\]{}]++|' + _STRING
    inside = within
    for _ in range(levels):
        inside = within + rb"|[\[{](?:" + inside + rb")*[\]}]"
    return rb'(?:[^",\[\]{}]++|' + _STRING + rb"|[\[{](?:" + inside + rb")*[\]}])*"


_ELEMENT: Final = _element(_LEVELS)
_elements = re.compile(rb"(?:%b,)*(?:%b[\]}])?" % (_ELEMENT, _ELEMENT), re.DOTALL)
_plain = re.compile(rb'[^"\[\]{}]*+')
_space = re.compile(rb"[ \t\n\r]*+")
_scalar = re.compile(rb'[^"\[\]{},: \t\n\r]*+')
_text = re.compile(rb'(?:[^"\\]++|%b)*' % _ESCAPED, re.DOTALL)
_strings = re.compile(_STRING, re.DOTALL)
_FEW: Final = 64
_position = re.compile(r" at line (\d+) column (\d+)$")


def parse_large(raw: bytes) -> Any:
    """What `from_json` makes of `raw`, with turns for others.

    Raises `ValueError` for what is not JSON, and `APIError` 413 for more than `MOST` arrays and objects.
    """
    reader = _Reader(raw)
    document = reader.value(0)
    reader.end()
    return document


class _Reader:
    """Reads `raw` from `at` on."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0
        self._left = MOST

    def value(self, depth: int) -> Any:
        """The value that begins here."""
        match self._next():
            case b"[" | b"{":
                if depth >= _DEEPEST:
                    raise self._wrong("recursion limit exceeded")
                self._left -= 1
                return self._list(depth + 1) if self._take() == b"[" else self._object(depth + 1)
            case b'"':
                return self._string()
        start = self._at
        self._at = self._reach(_scalar, len(self._raw))
        return self._parse(b"", start, self._at, b"")

    def end(self) -> None:
        """Raise `ValueError` if anything follows."""
        if self._next():
            raise self._wrong("trailing characters")

    def _list(self, depth: int) -> list[Any]:
        found: list[Any] = []
        closed = self._closes(b"]")
        while not closed:
            give_way()
            start, closed = self._at, self._advance()
            if self._at > start:
                found += self._piece(b"[", start, b"]")
            else:
                found.append(self.value(depth))
                closed = self._separated(b"]")
        return found

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        closed = self._closes(b"}")
        while not closed:
            give_way()
            start, closed = self._at, self._advance()
            if self._at > start:
                found |= self._piece(b"{", start, b"}")
            else:
                name = self._name()
                found[name] = self.value(depth)
                closed = self._separated(b"}")
        return found

    def _advance(self) -> bool:
        """Go behind the elements that are whole within a piece's length; whether they are the last."""
        start, limit = self._at, self._at + PIECE
        if self._reach(_plain, limit) == limit:
            self._at = self._raw.rfind(b",", start, limit) + 1 or start
        else:
            self._at = self._reach(_elements, limit)
        return self._at > start and self._raw[self._at - 1] in b"]}"

    def _piece(self, opening: bytes, start: int, closing: bytes) -> Any:
        """The elements between `start` and here, where a comma or the closing bracket has been passed."""
        last = self._raw[self._at - 1 : self._at]
        self._count(self._raw[start : self._at - 1])
        found = self._parse(opening, start, self._at - 1, closing if last == b"," else last)
        if not found:
            raise self._wrong("expected value", at=start)
        return found

    def _count(self, piece: bytes) -> None:
        nested = piece.count(b"[") + piece.count(b"{")
        if nested > _FEW:  # some may be in texts
            texts_left_out = _strings.sub(b"", piece)
            nested = texts_left_out.count(b"[") + texts_left_out.count(b"{")
        self._left -= nested
        if self._left < 0:
            message = f"The request body has more than {MOST} arrays and objects: split it into several requests."
            raise APIError(413, message, code="body_too_complex")

    def _name(self) -> str:
        if self._next() != b'"':
            raise self._wrong("key must be a string")
        name = self._string()
        if self._next() != b":":
            raise self._wrong("expected `:`")
        self._at += 1
        return name

    def _string(self) -> str:
        self._at += 1
        parts: list[str] = []
        while True:
            give_way()
            start = self._at
            self._at = self._whole(self._reach(_text, start + PIECE))
            parts.append(self._parse(b'"', start, self._at, b'"'))
            if self._raw[self._at : self._at + 1] == b'"':
                self._at += 1
                return "".join(parts)
            if self._at == start:
                at_end = self._at + 1 >= len(self._raw)
                raise self._wrong("EOF while parsing a string" if at_end else "invalid escape")

    def _whole(self, end: int) -> int:
        """`end`, unless it is in the middle of a character: then where that begins."""
        for back in range(min(4, end)):
            if self._raw[end - back : end - back + 1] < b"\x80" or self._raw[end - back] >= 0xC0:
                return end - back
        return end

    def _separated(self, closing: bytes) -> bool:
        """Take the comma or the bracket that must follow an element; whether it is the bracket."""
        found = self._next()
        if found not in (b",", closing):
            raise self._wrong(f"expected `,` or `{closing.decode()}`")
        self._at += 1
        return found == closing

    def _closes(self, closing: bytes) -> bool:
        closes = self._next() == closing
        self._at += closes
        return closes

    def _next(self) -> bytes:
        """The byte that follows the space here; nothing at the end."""
        while (after := self._reach(_space, self._at + PIECE)) != self._at:
            self._at = after
        return self._raw[self._at : self._at + 1]

    def _reach(self, pattern: re.Pattern[bytes], limit: int) -> int:
        """Where a match of `pattern`, which may be empty, ends."""
        found = pattern.match(self._raw, self._at, limit)
        assert found is not None
        return found.end()

    def _take(self) -> bytes:
        self._at += 1
        return self._raw[self._at - 1 : self._at]

    def _parse(self, opening: bytes, start: int, end: int, closing: bytes) -> Any:
        try:
            return from_json(opening + self._raw[start:end] + closing, allow_inf_nan=False)
        except ValueError as error:
            raise self._moved(error, start - len(opening)) from None

    def _moved(self, error: ValueError, start: int) -> ValueError:
        """`error`, of a piece that begins at `start`, with its place in the whole."""
        found = _position.search(str(error))
        if found is None:
            return error
        line, column = int(found[1]), int(found[2])
        at = start
        for _ in range(line - 1):
            at = self._raw.find(b"\n", at + 1)
        return self._wrong(str(error)[: found.start()], at=max(0, at + column - (line == 1)))

    def _wrong(self, reason: str, at: int | None = None) -> ValueError:
        at = self._at if at is None else at
        line, column = self._raw.count(b"\n", 0, at) + 1, at - self._raw.rfind(b"\n", 0, at)
        return ValueError(f"{reason} at line {line} column {column}")
