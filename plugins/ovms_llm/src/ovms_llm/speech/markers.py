"""Looking for markers in text that comes in pieces."""

from __future__ import annotations

from collections.abc import Sequence


def earliest(text: str, markers: Sequence[str]) -> tuple[int, str] | None:
    """Where the first of `markers` stands in `text`, and which one: the longest, where several begin there."""
    found = [(at, -len(marker), marker) for marker in markers if (at := text.find(marker)) >= 0]
    if not found:
        return None
    at, _, marker = min(found)
    return at, marker


def held_back(text: str, markers: Sequence[str]) -> int:
    """The length of the longest end of `text` with which one of `markers` may begin."""
    longest = max(map(len, markers), default=1) - 1
    for at in range(max(0, len(text) - longest), len(text)):
        if any(marker.startswith(text[at:]) for marker in markers):
            return len(text) - at
    return 0


def certain(text: str, markers: Sequence[str]) -> int:
    """How much of `text` is surely no marker, nor the white space in front of one."""
    return len(text[: len(text) - held_back(text, markers)].rstrip())
