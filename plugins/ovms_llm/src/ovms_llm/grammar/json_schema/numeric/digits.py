"""Integers in a range, digit by digit."""

from __future__ import annotations

from collections.abc import Iterator

from ovms_llm.grammar.json_schema.parts import DIGIT, EMPTY, INTEGER_DIGITS, NEVER, choice, digits, sequence
from ovms_llm.grammar.nodes import Characters, Literal, Node


def between(least: int | None, most: int | None) -> Node:
    """All integers from `least` to `most`, as JSON writes them; `None` sets no bound but the length."""
    return choice(_signed(least, most))


def _signed(least: int | None, most: int | None) -> Iterator[Node]:
    if least is None or least < 0:
        top = None if least is None else -least
        bottom = 1 if most is None or most >= 0 else -most
        if top is None or top >= bottom:
            yield sequence(Literal("-"), natural(bottom, top))
    if most is None or most >= 0:
        yield natural(max(least or 0, 0), most)


def natural(least: int, most: int | None) -> Node:
    """All integers from `least` (0 or more) to `most`, without leading zeros."""
    if most is None:
        most = 10 ** max(INTEGER_DIGITS, len(str(least)) + 1) - 1
    return choice(_by_length(least, most)) if least <= most else NEVER


def _by_length(least: int, most: int) -> Iterator[Node]:
    short, long = len(str(least)), len(str(most))
    if short == long:
        yield same_length(str(least), str(most))
        return
    yield same_length(str(least), "9" * short)
    if long - short > 1:
        yield sequence(Characters(((49, 57),)), digits(short, long - 2))
    yield same_length("1" + "0" * (long - 1), str(most))


def same_length(low: str, high: str) -> Node:
    """All texts of digits from `low` to `high`, which are equally long."""
    if not low:
        return EMPTY
    if set(low) == {"0"} and set(high) == {"9"}:
        return digits(len(low), len(low))
    if low[0] == high[0]:
        return sequence(Literal(low[0]), same_length(low[1:], high[1:]))
    return choice(_split(low, high))


def _split(low: str, high: str) -> Iterator[Node]:
    """By the first digit: that of `low`, those between, that of `high`; whole decades are taken together."""
    first, last = int(low[0]), int(high[0])
    width = len(low) - 1
    if width and low[1:] != "0" * width:
        yield sequence(Literal(low[0]), same_length(low[1:], "9" * width))
        first += 1
    if width and high[1:] != "9" * width:
        last -= 1
    if first <= last:
        yield sequence(_digit(first, last), digits(width, width) if width else EMPTY)
    if last < int(high[0]):
        yield sequence(Literal(high[0]), same_length("0" * width, high[1:]))


def _digit(first: int, last: int) -> Node:
    if (first, last) == (0, 9):
        return DIGIT
    return Literal(str(first)) if first == last else Characters(((48 + first, 48 + last),))
