"""Bounds of length together with an expression: where it has one repetition, the bounds become that one's counts."""

from __future__ import annotations

from ovms_llm.grammar.regex.parser import Anchor, Group, Part, Quantified, Tree

Lengths = tuple[int, int | None]
"""The fewest and the most characters; `None` sets no upper bound."""


def limited(tree: Tree, bounds: Lengths) -> Tree | None:
    """`tree` with only texts within `bounds`; `None` where that takes more than other counts of a repetition.

    An expression that is not anchored may be found in a text of any length.
    """
    found = [_anchored(parts, bounds) for parts in tree]
    kept = [parts for parts in found if parts is not None]
    return kept if len(kept) == len(tree) else None


def _anchored(parts: list[Part], bounds: Lengths) -> list[Part] | None:
    starts = bool(parts) and isinstance(parts[0], Anchor) and parts[0].at_start
    ends = len(parts) > 1 and isinstance(parts[-1], Anchor) and not parts[-1].at_start
    if starts and ends:
        return _limited(parts, bounds)
    return parts if bounds[1] is None and _total(parts)[0] >= bounds[0] else None


def _limited(parts: list[Part], bounds: Lengths) -> list[Part] | None:
    if _within(_total(parts), bounds):
        return parts
    varying = [at for at, part in enumerate(parts) if len(set(_lengths(part))) > 1]
    if len(varying) != 1:
        return None
    (at,) = varying
    least, most = bounds
    others = _total([*parts[:at], *parts[at + 1 :]])[0]
    part = _narrowed(parts[at], (max(0, least - others), None if most is None else most - others))
    return None if part is None else [*parts[:at], part, *parts[at + 1 :]]


def _narrowed(part: Part, bounds: Lengths) -> Part | None:
    match part:
        case Group(tree):
            options = [_limited(parts, bounds) for parts in tree]
            kept = [parts for parts in options if parts is not None]
            return Group(kept) if len(kept) == len(tree) else None
        case Quantified(item, least, most) if _lengths(item) == (1, 1):
            least = max(least, bounds[0])
            most = bounds[1] if most is None else most if bounds[1] is None else min(most, bounds[1])
            return Quantified(item, least, most) if most is None or least <= most else None
    return None


def _within(lengths: Lengths, bounds: Lengths) -> bool:
    return lengths[0] >= bounds[0] and (bounds[1] is None or (lengths[1] is not None and lengths[1] <= bounds[1]))


def _total(parts: list[Part]) -> Lengths:
    each = [_lengths(part) for part in parts]
    longest = [most for _, most in each if most is not None]
    return sum(least for least, _ in each), sum(longest) if len(longest) == len(each) else None


def _lengths(part: Part) -> Lengths:
    match part:
        case Anchor():
            return 0, 0
        case Group(tree):
            each = [_total(parts) for parts in tree]
            longest = [most for _, most in each if most is not None]
            return min(least for least, _ in each), max(longest) if len(longest) == len(each) else None
        case Quantified(item, least, most):
            shortest, longest_item = _lengths(item)
            return least * shortest, None if most is None or longest_item is None else most * longest_item
    return 1, 1
