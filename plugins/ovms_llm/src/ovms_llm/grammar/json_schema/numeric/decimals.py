"""Decimal numbers in a range, digit by digit, without an exponent.

As many digits are allowed as a double keeps, so that no number that fits becomes one that does not when it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from ovms_llm.grammar.json_schema.numeric.digits import natural
from ovms_llm.grammar.json_schema.parts import EMPTY, NEVER, choice, digits, maybe, sequence
from ovms_llm.grammar.nodes import Characters, Literal, Node, Repeat

Bound = tuple[Decimal, bool]
"""A value, and whether it is itself outside."""

ZERO: Bound = (Decimal(0), False)
SIGNIFICANT = 15
FINE = 6
"""With so many places, numbers that are hardly above a bound are left out: to tell them takes a rule for each place."""
NOT_ZERO = Characters(((49, 57),))


def between(low: Bound | None, high: Bound | None, places: int) -> Node:
    """All decimal numbers from `low` to `high` with up to `places` places; `None` sets no bound."""
    return choice(node for node in _signed(low, high, places) if node != NEVER)


def _signed(low: Bound | None, high: Bound | None, places: int) -> Iterator[Node]:
    if low is None or low[0] < 0:
        bottom = (-high[0], high[1]) if high and high[0] <= 0 else (Decimal(0), True)
        yield sequence(Literal("-"), _magnitudes(bottom, (-low[0], low[1]) if low else None, places))
    if high is None or high[0] >= 0:
        yield _magnitudes(low if low and low[0] >= 0 else ZERO, high, places)


def _magnitudes(low: Bound, high: Bound | None, places: int) -> Node:
    """Numbers without a sign: by the integer before the point, then by the places behind it."""
    return choice(node for node in _by_integer(low, high, places) if node != NEVER)


def _by_integer(low: Bound, high: Bound | None, places: int) -> Iterator[Node]:
    first, last = int(low[0]), None if high is None else int(high[0])
    kept = SIGNIFICANT - len(str(first if last is None else last))
    places = min(places, max(kept, 1, _places(low, high)))
    if last == first:
        yield sequence(Literal(str(first)), _fraction(low, high, places))
        return
    yield sequence(Literal(str(first)), _fraction(low, None, places))
    if last is None or last - first > 1:
        yield sequence(natural(first + 1, None if last is None else last - 1), _free(places))
    if last is not None:
        yield sequence(Literal(str(last)), _fraction((Decimal(last), False), high, places))


def _places(*bounds: Bound | None) -> int:
    return max((len(_digits(bound[0])) for bound in bounds if bound), default=0)


def _digits(value: Decimal) -> str:
    """The places of `value`, without zeros at the end."""
    return f"{value:f}".partition(".")[2].rstrip("0")


def _free(places: int) -> Node:
    return maybe(sequence(Literal("."), digits(1, places))) if places else EMPTY


def _fraction(low: Bound, high: Bound | None, places: int) -> Node:
    """What may follow an integer that both bounds share: nothing (which is 0), or a point and places."""
    options: list[Node] = []
    lowest, highest = _digits(low[0]), None if high is None else _digits(high[0])
    if not lowest and not low[1] and not (highest == "" and high and high[1]):
        options.append(EMPTY)
    behind = NEVER if not places else _tail(lowest, low[1], highest, bool(high and high[1]), places)
    options += [] if behind == NEVER else [sequence(Literal("."), behind)]
    return choice(options) if options else NEVER


def _tail(low: str, above: bool, high: str | None, below: bool, places: int) -> Node:
    """At least one digit of a fraction from `low` to `high`; `above` and `below` leave the bounds out."""
    if not low and above and high is None and places >= FINE:
        zeros = places // 2
        return sequence(Repeat(Literal("0"), 0, zeros), NOT_ZERO, digits(0, places - zeros - 1))
    by_rest: dict[Node, list[int]] = {}
    for digit in range(int(low[:1] or 0), 10 if high is None else int(high[:1] or 0) + 1):
        under, excluded = (low[1:], above) if digit == int(low[:1] or 0) else ("", False)
        over, included = (high[1:], not below) if high is not None and digit == int(high[:1] or 0) else (None, True)
        by_rest.setdefault(_rest(under, excluded, over, not included, places - 1), []).append(digit)
    options = [sequence(_one_of(found), rest) for rest, found in by_rest.items() if rest != NEVER]
    return choice(options) if options else NEVER


def _one_of(found: list[int]) -> Node:
    return Literal(str(found[0])) if len(found) == 1 else Characters(((48 + found[0], 48 + found[-1]),))


def _rest(low: str, above: bool, high: str | None, below: bool, places: int) -> Node:
    if not low and not above and high is None:
        return digits(0, places) if places else EMPTY
    if high == "" and not low:
        return NEVER if above or below else Repeat(Literal("0"), 0, min(places, 3))
    fits = not low and not above
    behind = _tail(low, above, high, below, places) if places else NEVER
    options = ([EMPTY] if fits else []) + ([] if behind == NEVER else [behind])
    return choice(options) if options else NEVER
