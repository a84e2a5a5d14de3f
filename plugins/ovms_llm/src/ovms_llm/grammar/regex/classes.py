"""Classes and escapes of regular expressions."""

from __future__ import annotations

from typing import Final

from ovms_llm.grammar.characters import Ranges, complement, union

DIGIT: Final[Ranges] = ((0x30, 0x39),)
WORD: Final[Ranges] = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
SPACE: Final[Ranges] = ((0x09, 0x0D), (0x20, 0x20))
DOT: Final[Ranges] = complement(((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)))
"""Any character but the ends of lines, of ECMA-262 and so of Python."""

CLASSES: Final[dict[str, Ranges]] = {
    "d": DIGIT,
    "w": WORD,
    "s": SPACE,
    "D": complement(DIGIT),
    "W": complement(WORD),
    "S": complement(SPACE),
}
CONTROLS: Final = {"n": 0x0A, "r": 0x0D, "t": 0x09, "f": 0x0C, "v": 0x0B, "0": 0x00}
REFUSED: Final = {
    "b": "a word boundary (\\b)",
    "B": "a word boundary (\\B)",
    "p": "a Unicode property (\\p)",
    "P": "a Unicode property (\\P)",
    "k": "a back reference (\\k)",
    "G": "an anchor (\\G)",
}
HEX_DIGITS: Final = {"x": 2, "u": 4, "U": 8}


def both_cases(ranges: Ranges) -> Ranges:
    """`ranges` with the other case of each letter that has exactly one, among the first 0x3000 characters."""
    letters = [chr(code) for first, last in ranges for code in range(first, min(last, 0x3000) + 1)]
    other = [each.swapcase() for each in letters if each.swapcase().swapcase() == each]
    return union([*ranges, *((ord(each), ord(each)) for each in other if len(each) == 1)])
