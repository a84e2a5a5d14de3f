"""Formats of strings that are enforced; what stands between the quotation marks."""

from __future__ import annotations

from typing import Final

from ovms_llm.grammar.json_schema.parts import DIGIT, HEX, characters, choice, digits, maybe, sequence
from ovms_llm.grammar.nodes import Characters, Literal, Node, Reference, Repeat


def _text(value: str) -> Literal:
    return Literal(value)


def _two(tens: str, *rest: Node) -> Node:
    return sequence(characters(tens), rest[0] if rest else DIGIT)


LETTERS: Final = ((65, 90), (97, 122))
ALPHANUMERIC: Final = Characters(((48, 57), *LETTERS))
LEAP_PAIR: Final = choice(
    (
        sequence(_text("0"), characters("48")),
        sequence(characters("2468"), characters("048")),
        sequence(characters("13579"), characters("26")),
    )
)
"""The years 04 to 96 of a century that have a 29th of February."""
LEAP_YEAR: Final = choice(
    (sequence(digits(2, 2), LEAP_PAIR), sequence(choice((_text("00"), LEAP_PAIR)), _text("00"))),
)
DAY_TO_28: Final = choice(
    (sequence(_text("0"), characters("123456789")), _two("1"), _two("2", characters("012345678")))
)
DAY_TO_30: Final = choice((DAY_TO_28, _text("29"), _text("30")))
LONG: Final = choice(map(_text, ("01", "03", "05", "07", "08", "10", "12")))
SHORT: Final = choice(map(_text, ("04", "06", "09", "11")))
DASH: Final = _text("-")

DATE: Final = choice(
    (
        sequence(digits(4, 4), DASH, LONG, DASH, choice((DAY_TO_30, _text("31")))),
        sequence(digits(4, 4), DASH, SHORT, DASH, DAY_TO_30),
        sequence(digits(4, 4), _text("-02-"), DAY_TO_28),
        sequence(LEAP_YEAR, _text("-02-29")),
    )
)
HOUR: Final = choice((_two("01"), _two("2", characters("0123"))))
MINUTE: Final = _two("012345")
TIME: Final = sequence(
    *(HOUR, _text(":"), MINUTE, _text(":"), MINUTE, maybe(sequence(_text("."), digits(1, 6)))),
    choice((_text("Z"), sequence(characters("+-"), HOUR, _text(":"), MINUTE))),
)
DATE_TIME: Final = sequence(DATE, _text("T"), TIME)

COUNT: Final = digits(1, 6)


def _amount(unit: str, *smaller: Node) -> Node:
    """An amount of `unit` and, if wanted, of the next smaller one."""
    return sequence(COUNT, _text(unit), maybe(choice(smaller)) if smaller else _text(""))


SECONDS: Final = _amount("S")
MINUTES: Final = _amount("M", SECONDS)
CLOCK: Final = sequence(_text("T"), choice((_amount("H", MINUTES), MINUTES, SECONDS)))
DAYS: Final = _amount("D")
MONTHS: Final = _amount("M", DAYS)
CALENDAR: Final = choice((_amount("Y", MONTHS), MONTHS, DAYS))
DURATION: Final = sequence(_text("P"), choice((CLOCK, sequence(CALENDAR, maybe(CLOCK)), sequence(COUNT, _text("W")))))
"""As in RFC 3339, appendix A."""

BYTE: Final = choice(
    (
        *(DIGIT, sequence(characters("123456789"), DIGIT), sequence(_text("1"), digits(2, 2))),
        *(sequence(_text("2"), characters("01234"), DIGIT), sequence(_text("25"), characters("012345"))),
    )
)
IPV4: Final = sequence(Repeat(sequence(BYTE, _text(".")), 3, 3), BYTE)
GROUP: Final = Repeat(HEX, 1, 4)


def _groups(most: int) -> Node:
    """Up to `most` groups with colons between."""
    return maybe(sequence(GROUP, Repeat(sequence(_text(":"), GROUP), 0, most - 1)))


def _shortened(before: int) -> Node:
    """`before` groups, then two colons for the zeros that are left out, then as many groups as there is room for."""
    head = sequence(GROUP, Repeat(sequence(_text(":"), GROUP), before - 1, before - 1)) if before else _text("")
    return sequence(head, _text("::"), _groups(7 - before) if before < 7 else _text(""))


IPV6: Final = choice((sequence(GROUP, Repeat(sequence(_text(":"), GROUP), 7, 7)), *map(_shortened, range(8))))

LABEL: Final = Reference("label")
HOSTNAME: Final = sequence(LABEL, Repeat(sequence(_text("."), LABEL), 0, 3))
ATOM: Final = Reference("atom")
EMAIL: Final = sequence(ATOM, Repeat(sequence(_text("."), ATOM), 0, 2), _text("@"), HOSTNAME)

ESCAPED: Final = sequence(_text("%"), HEX, HEX)
UNRESERVED: Final = Characters(
    ((33, 33), (36, 36), (38, 59), (61, 61), (64, 90), (95, 95), (97, 122), (126, 126)),
)
"""What may stand in a path (RFC 3986): all but `#`, `?`, brackets, quotation marks and the like."""
PIECE: Final = Reference("uri_piece")
PORT: Final = sequence(_text(":"), digits(1, 4))
SERVER: Final = sequence(_text("//"), choice((HOSTNAME, IPV4)), maybe(PORT), maybe(sequence(_text("/"), PIECE)))
URI: Final = sequence(
    *(Characters(((97, 122),)), Repeat(Characters(((48, 57), (97, 122))), 1, 9), _text(":")),
    choice((SERVER, sequence(ALPHANUMERIC, PIECE))),
    *(maybe(sequence(_text("?"), PIECE)), maybe(sequence(_text("#"), PIECE))),
)

RULES: Final[dict[str, Node]] = {
    "label_part": Repeat(ALPHANUMERIC, 1, 20),
    "label": sequence(Reference("label_part"), Repeat(sequence(DASH, Reference("label_part")), 0, 2)),
    "atom": Repeat(Characters(((43, 43), (45, 45), (48, 57), (65, 90), (95, 95), (97, 122))), 1, 20),
    "uri_piece": Repeat(choice((UNRESERVED, ESCAPED))),
}
"""A label has up to 62 of the 63 characters that are allowed, and no two hyphens together, which announce an encoded
one; the part of an address before the `@` has up to 62 of 64."""

UUID: Final = sequence(Repeat(HEX, 8, 8), Repeat(sequence(DASH, Repeat(HEX, 4, 4)), 3, 3), DASH, Repeat(HEX, 12, 12))

NODES: Final[dict[str, Node]] = {
    "date": DATE,
    "date-time": DATE_TIME,
    "time": TIME,
    "duration": DURATION,
    "email": EMAIL,
    "hostname": HOSTNAME,
    "ipv4": IPV4,
    "ipv6": IPV6,
    "uri": URI,
    "uuid": UUID,
}

LENGTHS: Final[dict[str, tuple[int, int]]] = {
    "date": (10, 10),
    "date-time": (20, 32),
    "time": (9, 21),
    "duration": (3, 49),
    "email": (3, 314),
    "hostname": (1, 251),
    "ipv4": (7, 15),
    "ipv6": (2, 39),
    "uri": (4, 1_000_000),
    "uuid": (36, 36),
}
"""The shortest and the longest text that each can make."""
