"""Parses regular expressions into sets of characters, groups, quantifiers and anchors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NoReturn

from ovms_llm.grammar.characters import ALL, Ranges, complement, union
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.regex.classes import CLASSES, CONTROLS, DOT, HEX_DIGITS, REFUSED, both_cases


@dataclass(frozen=True, slots=True)
class Anchor:
    """``^`` or ``$``."""

    at_start: bool
    position: int


@dataclass(frozen=True, slots=True)
class Group:
    """What stands in brackets."""

    tree: Tree


@dataclass(frozen=True, slots=True)
class Quantified:
    """`item` at least `least` and at most `most` times."""

    item: Part
    least: int
    most: int | None


Part = Ranges | Group | Quantified | Anchor
Tree = list[list[Part]]
"""Alternatives, each a list of what follows each other."""

_QUANTIFIERS: Final[dict[str, tuple[int, int | None]]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_COUNTS: Final = re.compile(r"\{(\d*)(,?)(\d*)\}")
_NAMED: Final = re.compile(r"P?<([A-Za-z_]\w*)>")
_FLAGS: Final = re.compile(r"\(\?([a-zA-Z]+)\)")
_LOOKAROUND: Final = {
    "=": "a lookahead",
    "!": "a negative lookahead",
    "<=": "a lookbehind",
    "<!": "a negative lookbehind",
    ">": "an atomic group",
    "P=": "a back reference",
    "(": "a conditional",
}
_SECOND_HALF: Final = re.compile(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_MOST_DIGITS: Final = 9


class RegexParser:
    """One expression, read from the left."""

    def __init__(self, pattern: str, pointer: str, depth: int) -> None:
        self._pattern = pattern
        self._pointer = pointer
        self._depth = depth
        self._at = 0
        self._ignores_case = False
        self._dot = DOT

    def fail(self, what: str, at: int) -> NoReturn:
        """Raise `GrammarError` for what stands at position `at`."""
        shown = self._pattern if len(self._pattern) <= 80 else f"{self._pattern[:80]}…"
        raise GrammarError(f"The regular expression '{shown}' has at position {at} {what}.", self._pointer)

    def tree(self) -> Tree:
        """The whole expression."""
        self._flags()
        tree = self._alternatives(0)
        if self._at < len(self._pattern):
            self.fail("a ')' that closes nothing", self._at)
        return tree

    def _flags(self) -> None:
        """``(?i)`` and ``(?s)`` at the beginning."""
        if found := _FLAGS.match(self._pattern):
            if unknown := set(found[1]) - set("isua"):
                self.fail(f"the flag '{min(unknown)}', which has no grammar: leave it out", 0)
            self._ignores_case = "i" in found[1]
            self._dot = ALL if "s" in found[1] else DOT
            self._at = found.end()

    def _alternatives(self, depth: int) -> Tree:
        if depth > self._depth:
            self.fail(f"more than {self._depth} brackets in each other", self._at)
        tree: Tree = [[]]
        while (character := self._peek()) not in ("", ")"):
            if character == "|":
                self._at += 1
                tree.append([])
            else:
                tree[-1].append(self._quantified(self._part(depth)))
        return tree

    def _peek(self, length: int = 1) -> str:
        return self._pattern[self._at : self._at + length]

    def _part(self, depth: int) -> Part:
        begun, character = self._at, self._peek()
        self._at += 1
        match character:
            case "(":
                return self._group(begun, depth)
            case "[":
                return self._class(begun)
            case ".":
                return self._dot
            case "^" | "$":
                return Anchor(character == "^", begun)
            case "\\":
                return self._escape(begun)
            case "*" | "+" | "?":
                self.fail(f"'{character}' with nothing to repeat", begun)
        return self._cased(_one(ord(character)))

    def _group(self, begun: int, depth: int) -> Group:
        if self._peek() == "?":
            self._at += 1
            self._group_kind(begun)
        group = Group(self._alternatives(depth + 1))
        if self._peek() != ")":
            self.fail("a '(' that is never closed", begun)
        self._at += 1
        return group

    def _group_kind(self, begun: int) -> None:
        if self._peek() == ":":
            self._at += 1
        elif found := _NAMED.match(self._pattern, self._at):
            self._at = found.end()
        else:
            kind = next((name for mark, name in _LOOKAROUND.items() if self._pattern.startswith(mark, self._at)), None)
            self.fail(f"{kind or 'a group of an unknown kind'}, which has no grammar: write it without", begun)

    def _quantified(self, part: Part) -> Part:
        while (counts := self._counts()) is not None:
            if isinstance(part, Anchor):
                self.fail("a repeated anchor", part.position)
            part = Quantified(part, *counts)
        return part

    def _counts(self) -> tuple[int, int | None] | None:
        begun = self._at
        counts = _QUANTIFIERS.get(self._peek())
        if counts is not None:
            self._at += 1
        elif found := _COUNTS.match(self._pattern, self._at):
            counts = self._written_counts(found)
            self._at = self._at if counts is None else found.end()
        if counts is None:
            return None
        if self._peek() == "+":
            self.fail("a possessive quantifier, which has no grammar: leave out its '+'", begun)
        self._at += self._peek() == "?"
        return counts

    def _written_counts(self, found: re.Match[str]) -> tuple[int, int | None] | None:
        """``{2}``, ``{2,}``, ``{2,5}`` or ``{,5}``; other braces are plain characters."""
        least, comma, most = found.groups()
        if not least and not most:
            return None
        if max(len(least), len(most)) > _MOST_DIGITS:
            self.fail("a count that is too large", found.start())
        low = int(least or 0)
        high = (int(most) if most else None) if comma else low
        if high is not None and high < low:
            self.fail("a repetition whose upper bound is under its lower one", found.start())
        return low, high

    def _escape(self, begun: int) -> Ranges | Anchor:
        character = self._peek()
        if character in ("A", "Z", "z") and character:
            self._at += 1
            return Anchor(character == "A", begun)
        return self._cased(self._escaped(begun, in_class=False))

    def _escaped(self, begun: int, *, in_class: bool) -> Ranges:
        """What the character behind a backslash stands for."""
        character = self._peek()
        self._at += 1
        if not character:
            self.fail("a backslash with nothing behind it", begun)
        if character in CLASSES:
            return CLASSES[character]
        if character == "b" and in_class:
            return _one(0x08)
        if character in REFUSED or (character.isdigit() and character != "0"):
            name = REFUSED.get(character, f"a back reference (\\{character})")
            self.fail(f"{name}, which has no grammar: write it without", begun)
        return _one(self._code(character, begun))

    def _code(self, character: str, begun: int) -> int:
        if character in CONTROLS:
            return CONTROLS[character]
        if character == "c" and self._peek().isascii() and self._peek().isalpha():
            self._at += 1
            return ord(self._pattern[self._at - 1]) % 32
        if character in HEX_DIGITS:
            return self._hexadecimal(HEX_DIGITS[character], begun)
        if character.isascii() and character.isalpha():
            self.fail(f"the unknown escape '\\{character}'", begun)
        return ord(character)

    def _hexadecimal(self, length: int, begun: int) -> int:
        """``\\x41``, ``\\u0041``, ``\\u{41}``; two halves of a surrogate pair are one character."""
        found = re.compile(rf"\{{([0-9a-fA-F]{{1,6}})\}}|([0-9a-fA-F]{{{length}}})").match(self._pattern, self._at)
        if found is None:
            self.fail("an escape without its hexadecimal digits", begun)
        self._at = found.end()
        code = int(found[1] or found[2], 16)
        second = _SECOND_HALF.match(self._pattern, self._at)
        if 0xD800 <= code < 0xDC00 and second:
            self._at = second.end()
            code = 0x10000 + ((code - 0xD800) << 10) + int(second[1], 16) - 0xDC00
        if code > ALL[-1][1] or 0xD800 <= code < 0xE000:
            self.fail("an escape that is no character", begun)
        return code

    def _class(self, begun: int) -> Ranges:
        negated = self._peek() == "^"
        self._at += negated
        ranges: list[tuple[int, int]] = []
        if self._peek() == "]":
            self.fail("a ']' first in a class, which not everyone reads alike: write '\\]'", self._at)
        while self._peek() != "]":
            ranges.extend(self._class_item())
        self._at += 1
        found = self._cased(union(ranges))
        return complement(found) if negated else found

    def _class_item(self) -> Ranges:
        begun = self._at
        low = self._class_character()
        if self._peek() != "-" or self._peek(2) in ("-", "-]"):
            return low
        self._at += 1
        high = self._class_character()
        if not (_is_one(low) and _is_one(high)):
            self.fail("a range between what are not single characters", begun)
        if high[0][0] < low[0][0]:
            self.fail("a range that ends before it begins", begun)
        return ((low[0][0], high[0][0]),)

    def _class_character(self) -> Ranges:
        begun, character = self._at, self._peek()
        if not character:
            self.fail("a '[' that is never closed", begun)
        self._at += 1
        return self._escaped(begun, in_class=True) if character == "\\" else _one(ord(character))

    def _cased(self, ranges: Ranges) -> Ranges:
        return both_cases(ranges) if self._ignores_case else ranges


def _one(code: int) -> Ranges:
    return ((code, code),)


def _is_one(ranges: Ranges) -> bool:
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]
