"""Looking for markers in text that comes in pieces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache


def earliest(text: str, markers: Sequence[str]) -> tuple[int, str] | None:
    """Where the first of `markers` stands in `text`, and which one: the longest, where several begin there."""
    found = [(at, -len(marker), marker) for marker in markers if (at := text.find(marker)) >= 0]
    if not found:
        return None
    at, _, marker = min(found)
    return at, marker


def held_back(text: str, markers: Sequence[str]) -> int:
    """The length of the longest end of `text` with which one of `markers` may begin."""
    at = max(0, len(text) - max(map(len, markers), default=1) + 1)
    first = first_letters(tuple(markers))
    while found := first.search(text, at):
        at = found.start()
        if any(marker.startswith(text[at:]) for marker in markers):
            return len(text) - at
        at += 1
    return 0


@lru_cache(maxsize=256)
def first_letters(markers: tuple[str, ...]) -> re.Pattern[str]:
    """Finds letters with which one of `markers` may begin."""
    return re.compile("|".join({re.escape(marker[0]) for marker in markers}) or "(?!)")


def is_plain(text: str, markers: tuple[str, ...]) -> bool:
    """Whether `text` has nothing to do with `markers`: it is certain, with all that comes behind it unknown."""
    return not text[-1:].isspace() and first_letters(markers).search(text) is None


def certain(text: str, markers: Sequence[str]) -> int:
    """How much of `text` is surely no marker, nor the white space in front of one."""
    return len(text[: len(text) - held_back(text, markers)].rstrip())
