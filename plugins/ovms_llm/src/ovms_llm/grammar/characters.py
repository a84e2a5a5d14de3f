"""Sets of characters as sorted ranges of code points, both ends included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

Ranges = tuple[tuple[int, int], ...]

ALL: Final[Ranges] = ((0, 0xD7FF), (0xE000, 0x10FFFF))
"""Every character: surrogates, the halves of pairs in UTF-16, are none."""


def union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """All of `ranges`, sorted, and joined where they touch; surrogates are left out."""
    return _without(_joined(ranges), ((0xD800, 0xDFFF),))


def complement(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Every character that is not in `ranges`."""
    return _without(ALL, _joined(ranges))


def difference(left: Iterable[tuple[int, int]], right: Iterable[tuple[int, int]]) -> Ranges:
    """What is in `left` and not in `right`."""
    return _without(union(left), _joined(right))


def intersection(left: Iterable[tuple[int, int]], right: Iterable[tuple[int, int]]) -> Ranges:
    """What is in both."""
    return _without(union(left), complement(right))


def _joined(ranges: Iterable[tuple[int, int]]) -> Ranges:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return tuple(joined)


def _without(left: Ranges, right: Ranges) -> Ranges:
    """What of `left` is not in `right`; both are sorted and do not overlap in themselves."""
    rest: list[tuple[int, int]] = []
    at = 0
    for first, last in left:
        while at < len(right) and right[at][1] < first:
            at += 1
        here = at
        while here < len(right) and right[here][0] <= last:
            if first < right[here][0]:
                rest.append((first, right[here][0] - 1))
            first = right[here][1] + 1
            here += 1
        if first <= last:
            rest.append((first, last))
    return tuple(rest)
