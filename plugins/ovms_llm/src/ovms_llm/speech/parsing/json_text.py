"""Reading JSON from text that is cut anywhere, without taking it apart: values are given as they were written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, NoReturn

_OUTSIDE: Final = re.compile(r'["{}\[\],\s]')
_INSIDE: Final = re.compile(r'["\\]')
_KEY: Final = re.compile(r'\s*[{,]\s*("(?:[^"\\]|\\.)*")\s*:\s*(?=\S)')
_END: Final = re.compile(r"\s*(?:\{\s*)?\}")
_BETWEEN: Final = re.compile(r"[\s,;\[\]]*")


class Extent:
    """Finds where one JSON value ends."""

    def __init__(self) -> None:
        self._depth = 0
        self._begun = False
        self._in_string = False
        self._escaped = False

    def feed(self, text: str, start: int = 0) -> int | None:
        """The index behind the value's end in `text`, which goes on from what was fed before; `None` if it is open."""
        at = start
        while at < len(text):
            end, at = self._inside(text, at) if self._in_string else self._outside(text, at)
            if end is not None:
                return end
        return None

    def _inside(self, text: str, at: int) -> tuple[int | None, int]:
        if self._escaped:
            self._escaped = False
            return None, at + 1
        found = _INSIDE.search(text, at)
        if found is None:
            return None, len(text)
        self._in_string = self._escaped = found[0] == "\\"
        ends = not self._in_string and not self._depth
        return found.end() if ends else None, found.end()

    def _outside(self, text: str, at: int) -> tuple[int | None, int]:
        found = _OUTSIDE.search(text, at)
        stop = found.start() if found else len(text)
        self._begun = self._begun or stop > at
        if found is None:
            return None, stop
        sign = found[0]
        if not self._depth and self._begun and sign != '"' and sign not in "{[":
            return stop, stop
        if sign == '"':
            self._in_string = self._begun = True
        elif sign in "{[":
            self._depth += 1
            self._begun = True
        elif sign in "}]":
            self._depth -= 1
            if self._depth <= 0:
                return found.end(), found.end()
        return None, found.end()


class Member(NamedTuple):
    """A piece of the value of a member, as it is written; `last` closes the value."""

    key: str
    text: str
    last: bool


class Members:
    """Reads one JSON object, member by member. `rest` is the text behind the object, once it has ended."""

    def __init__(self) -> None:
        self.rest: str | None = None
        self._held = ""
        self._key: str | None = None
        self._value = Extent()

    def feed(self, text: str) -> Iterator[Member]:
        """What `text` adds to the object's members."""
        self._held += text
        while self._held and self.rest is None:
            if self._key is None and not self._next():
                return
            if self._key is not None:
                yield self._piece(self._key)

    def _next(self) -> bool:
        if found := _KEY.match(self._held):
            self._key, self._value = json.loads(found[1]), Extent()
            self._held = self._held[found.end() :]
            return bool(self._held)
        if found := _END.match(self._held):
            self.rest = self._held[found.end() :]
        return False

    def _piece(self, key: str) -> Member:
        text, self._held = self._held, ""
        end = self._value.feed(text)
        if end is None:
            return Member(key, text, last=False)
        self._held, self._key = text[end:], None
        return Member(key, text[:end], last=True)


def members(text: str) -> dict[str, str]:
    """The members of the JSON object that `text` is, their values as they are written."""
    values: dict[str, str] = {}
    for key, piece, _ in Members().feed(text):
        values[key] = values.get(key, "") + piece
    return values


def load(text: str) -> Any:
    """`text` as JSON, and nothing that only Python takes for JSON. Raises `ValueError`."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def objects(text: str) -> list[str]:
    """The JSON objects that `text` consists of, as they are written: in a list, or with commas or semicolons between.

    Raises `ValueError` if there is anything else.
    """
    found, at = [], _skip(text, 0)
    while at < len(text):
        end = Extent().feed(text, at)
        if text[at] != "{" or end is None:
            raise ValueError("there is something else than whole objects")
        load(text[at:end])
        found.append(text[at:end])
        at = _skip(text, end)
    return found


def unwrapped(text: str) -> str:
    """`text`, or what stands in it where it is a JSON string that holds JSON."""
    return str(load(text)) if text.startswith('"') else text


def is_object(text: str) -> bool:
    """Whether `text` is a JSON object."""
    try:
        return isinstance(load(text), dict)
    except ValueError:
        return False


def behind_separators(text: str) -> str:
    """`text` without what may stand between the objects of a list, in front."""
    return text[_skip(text, 0) :]


def _skip(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
