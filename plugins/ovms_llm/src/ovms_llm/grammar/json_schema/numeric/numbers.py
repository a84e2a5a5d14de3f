"""Numbers: bounds, and multiples where a grammar can tell them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import lcm

from ovms_llm.grammar.json_schema.numeric.decimals import between as decimals_between
from ovms_llm.grammar.json_schema.numeric.digits import between, natural
from ovms_llm.grammar.json_schema.parts import INTEGER, NUMBER, choice, maybe, sequence
from ovms_llm.grammar.json_schema.reading.facts import Facts, Nothing
from ovms_llm.grammar.json_schema.report import Report
from ovms_llm.grammar.nodes import Literal, Node

ENUMERABLE = 256
PLACES = 15


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound, and whether it is itself outside."""

    value: Decimal
    exclusive: bool
    pointer: str


@dataclass(frozen=True, slots=True)
class Range:
    least: Bound | None
    most: Bound | None

    def integers(self) -> tuple[int | None, int | None]:
        low = high = None
        if self.least:
            value = self.least.value
            low = int(value.to_integral_value("ROUND_CEILING"))
            low += self.least.exclusive and low == value
        if self.most:
            value = self.most.value
            high = int(value.to_integral_value("ROUND_FLOOR"))
            high -= self.most.exclusive and high == value
        return low, high


def integer(facts: Facts, report: Report) -> Node:
    span = _range(facts)
    low, high = span.integers()
    if low is not None and high is not None and low > high:
        raise Nothing(f"no integer is from {_shown(span.least)} to {_shown(span.most)}", _place(span))
    step = _step(facts, report)
    if step > 1:
        return _multiples(step, low, high, facts, report)
    return INTEGER if low is None and high is None else between(low, high)


def number(facts: Facts, report: Report) -> Node:
    steps = [Decimal(str(part.value)) for part in facts.all("multipleOf")]
    if any(step == int(step) for step in steps):
        return integer(facts, report)
    places = PLACES
    for part, step in zip(facts.all("multipleOf"), steps, strict=True):
        if step.normalize().as_tuple().digits == (1,):
            places = min(places, -int(step.normalize().as_tuple().exponent))
        else:
            report.add(part.pointer, "of fractions only powers of ten are")
    return _number(_range(facts), places)


def _number(span: Range, places: int) -> Node:
    if span.least is None and span.most is None and places == PLACES:
        return NUMBER
    if span.least and span.most:
        empty = span.least.exclusive or span.most.exclusive
        if span.least.value > span.most.value or (empty and span.least.value == span.most.value):
            raise Nothing(f"no number is from {_shown(span.least)} to {_shown(span.most)}", _place(span))
    low, high = ((bound.value, bound.exclusive) if bound else None for bound in (span.least, span.most))
    return decimals_between(low, high, places)


def _range(facts: Facts) -> Range:
    low, high = _bounds(facts, "minimum", "exclusiveMinimum"), _bounds(facts, "maximum", "exclusiveMaximum")
    return Range(
        max(low, key=lambda bound: (bound.value, bound.exclusive), default=None),
        min(high, key=lambda bound: (bound.value, not bound.exclusive), default=None),
    )


def _bounds(facts: Facts, inclusive: str, exclusive: str) -> list[Bound]:
    return [
        Bound(Decimal(str(part.value)), keyword == exclusive, part.pointer)
        for keyword in (inclusive, exclusive)
        for part in facts.all(keyword)
    ]


def _shown(bound: Bound | None) -> str:
    return f"{bound.value}{' (excluded)' if bound.exclusive else ''}" if bound else "anything"


def _place(span: Range) -> str:
    return (span.least or span.most or Bound(Decimal(0), False, "")).pointer


def _step(facts: Facts, report: Report) -> int:
    """The least common multiple of all integral `multipleOf`; of other ones that divide 1 nothing is left to do."""
    step = 1
    for part in facts.all("multipleOf"):
        value = Decimal(str(part.value))
        if value == int(value):
            step = lcm(step, int(value))
        elif (1 / Fraction(value)).denominator != 1:
            report.add(part.pointer, "an integer and a fraction")
    return step


def _multiples(step: int, low: int | None, high: int | None, facts: Facts, report: Report) -> Node:
    if low is not None and high is not None and (high - low) // step <= ENUMERABLE:
        found = range(-(-low // step) * step, high + 1, step)
        if not found:
            raise Nothing(f"no multiple of {step} is from {low} to {high}", facts.all("multipleOf")[0].pointer)
        return choice(Literal(str(value)) for value in found)
    if (low is None or low == 0) and high is None and 1000 % step == 0:
        return sequence(maybe(Literal("-")) if low is None else Literal(""), _by_last_digits(step))
    report.add(facts.all("multipleOf")[0].pointer, "too many numbers fit")
    return between(low, high)


def _by_last_digits(step: int) -> Node:
    """Multiples of a divisor of 1000 can be told by their last digits."""
    width = next(places for places in range(1, 4) if 10**places % step == 0)
    ends = [f"{value:0{width}}" for value in range(0, 10**width, step)]
    short = (Literal(str(int(end))) for end in ends)
    return choice((*short, sequence(natural(1, 10 ** (18 - width)), choice(map(Literal, ends)))))
