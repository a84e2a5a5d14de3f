"""Pieces of grammar that all JSON is made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ovms_llm.grammar.nodes import Characters, Choice, Literal, Node, Reference, Repeat, Sequence

EMPTY: Final = Literal("")
NEVER: Final = Choice(())
BLANK: Final = Repeat(Literal(" "), 0, 1)
QUOTE: Final = Literal('"')
DIGIT: Final = Characters(((48, 57),))
HEX: Final = Characters(((48, 57), (65, 70), (97, 102)))


def sequence(*nodes: Node) -> Node:
    """One behind the other, without sequences in sequences, texts joined."""
    items: list[Node] = []
    for node in nodes:
        for item in node.items if isinstance(node, Sequence) else (node,):
            if isinstance(item, Literal) and items and isinstance(items[-1], Literal):
                items[-1] = Literal(items[-1].text + item.text)
            elif item != EMPTY:
                items.append(item)
    return items[0] if len(items) == 1 else Sequence(tuple(items)) if items else EMPTY


def choice(options: Iterable[Node]) -> Node:
    """One of `options`, each named once."""
    flat = (inner for option in options for inner in (option.options if isinstance(option, Choice) else (option,)))
    unique = tuple(dict.fromkeys(flat))
    return unique[0] if len(unique) == 1 else Choice(unique)


def maybe(node: Node) -> Node:
    return Repeat(node, 0, 1)


def characters(text: str) -> Characters:
    return Characters(tuple((ord(character), ord(character)) for character in sorted(text)))


def digits(least: int, most: int) -> Node:
    """From `least` to `most` digits."""
    return DIGIT if (least, most) == (1, 1) else Repeat(DIGIT, least, most)


COMMA: Final = Sequence((Literal(","), BLANK))
NEXT: Final = Reference("comma")
COLON: Final = Sequence((Literal(":"), BLANK))


def listed(item: Node, least: int = 0, most: int | None = None) -> Node:
    """`item` from `least` to `most` times, commas between."""
    if most == 0:
        return EMPTY
    rest = None if most is None else most - 1
    some = item if rest == 0 else sequence(item, Repeat(sequence(COMMA, item), max(least - 1, 0), rest))
    return some if least else maybe(some)


VALUE: Final = Reference("value")
OBJECT: Final = Reference("object")
ARRAY: Final = Reference("array")
STRING: Final = Reference("string")
PLAIN: Final = Reference("plain")
CHARACTER: Final = Reference("character")
ESCAPE: Final = Reference("escape")
INTEGER: Final = Reference("integer")
NUMBER: Final = Reference("number")
BOOLEAN: Final = Choice((Literal("true"), Literal("false")))
NULL: Final = Literal("null")

# Raw: all but quotation marks, back slashes and control characters. Surrogates come in pairs, or not at all:
# half a pair is no Unicode text.
RAW: Final = Characters(((0, 0x1F), (0x22, 0x22), (0x5C, 0x5C)), negated=True)
SHORT_ESCAPE: Final = sequence(Literal("\\"), characters('"/\\bfnrt'))
PLAIN_ESCAPE: Final = sequence(Literal("\\"), characters('"\\bfnrt'))
UNICODE_ESCAPE: Final = choice(
    (
        sequence(Literal("\\u"), Characters(((48, 57), (65, 67), (69, 70), (97, 99), (101, 102))), Repeat(HEX, 3, 3)),
        sequence(Literal("\\u"), characters("Dd"), Characters(((48, 55),)), Repeat(HEX, 2, 2)),
        sequence(
            *(Literal("\\u"), characters("Dd"), characters("89ABab"), Repeat(HEX, 2, 2)),
            *(Literal("\\u"), characters("Dd"), characters("CDEFcdef"), Repeat(HEX, 2, 2)),
        ),
    )
)
"""Integers without bounds have up to 19 digits, fractions up to 16, exponents two: a weak model writes digits without
an end if it may."""
INTEGER_DIGITS: Final = 19
UNSIGNED: Final = choice((Literal("0"), sequence(Characters(((49, 57),)), digits(0, INTEGER_DIGITS - 1))))

RULES: Final[dict[str, Node]] = {
    "comma": COMMA,
    "value": Choice((OBJECT, ARRAY, STRING, NUMBER, *BOOLEAN.options, NULL)),
    "object": sequence(Literal("{"), listed(sequence(STRING, COLON, VALUE)), Literal("}")),
    "array": sequence(Literal("["), listed(VALUE), Literal("]")),
    # Not a repeated character: while a class repeats, XGrammar's mask for the next token costs least.
    "string": sequence(QUOTE, Repeat(RAW), Repeat(sequence(ESCAPE, Repeat(RAW))), QUOTE),
    "escape": choice((SHORT_ESCAPE, UNICODE_ESCAPE)),
    "plain": Repeat(choice((RAW, PLAIN_ESCAPE))),
    "character": choice((RAW, ESCAPE)),
    "integer": sequence(maybe(Literal("-")), UNSIGNED),
    "number": sequence(
        *(INTEGER, maybe(sequence(Literal("."), digits(1, 16)))),
        maybe(sequence(characters("Ee"), maybe(characters("+-")), digits(1, 2))),
    ),
}
