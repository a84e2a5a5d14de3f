"""Regular expressions as nodes: what ECMA-262 and Python write alike, as JSON schemas and clients of vLLM send it.

Character classes are those of ASCII, as in ECMA-262: ``\\d`` is ``[0-9]``. Which of several matches is taken makes no
difference to what fits, so lazy quantifiers and capturing groups are taken as plain ones.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Final

from ovms_llm.grammar.characters import ALL, Ranges, intersection, union
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.limits import DEFAULTS, Limits
from ovms_llm.grammar.nodes import Characters, Choice, Literal, Node, Repeat, Sequence
from ovms_llm.grammar.regex.lengths import Lengths, limited
from ovms_llm.grammar.regex.parser import Anchor, Group, Part, Quantified, RegexParser, Tree
from ovms_llm.grammar.rewriting import repeat


class LengthError(GrammarError):
    """An expression has a grammar, but none of texts within the wanted lengths."""


def node(
    pattern: str,
    *,
    pointer: str = "",
    json_string: bool = False,
    search: bool = False,
    limits: Limits = DEFAULTS,
    lengths: Lengths = (0, None),
) -> Node:
    """What `pattern` matches, as a whole; with `search` it may match anywhere, as in JSON schema.

    With `json_string` the node makes the inside of a JSON string whose value matches: quotes and backslashes are
    escaped there, and of the control characters those that have a short escape may stand.

    Raises `GrammarError` with the position for what has no grammar: lookaround, back references, word boundaries; and
    `LengthError` where texts cannot be kept within `lengths`.
    """
    if len(pattern) > limits.characters:
        message = f"The regular expression has {len(pattern)} characters, {limits.characters} at most are allowed."
        raise GrammarError(message, pointer)
    parser = RegexParser(pattern, pointer, limits.depth)
    tree = limited(parser.tree(), lengths)
    if tree is None:
        raise LengthError(f"The lengths of what '{pattern:.80}' matches cannot be counted.", pointer)
    return _Writer(parser, json_characters if json_string else _plain_characters).whole(tree, search)


def _plain_characters(ranges: Ranges) -> Node:
    return Literal(chr(ranges[0][0])) if _is_one(ranges) else Characters(ranges)


def _is_one(ranges: Ranges) -> bool:
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]


_SHORT: Final = {0x08: "b", 0x09: "t", 0x0A: "n", 0x0C: "f", 0x0D: "r", 0x22: '"', 0x5C: "\\"}
_RAW: Final[Ranges] = ((0x20, 0x21), (0x23, 0x5B), (0x5D, 0x10FFFF))


def json_characters(ranges: Ranges) -> Node:
    """A character out of `ranges` as it stands inside a JSON string."""
    if _is_one(ranges) and (code := ranges[0][0]) not in _SHORT and code >= 0x20:
        return Literal(chr(code))
    raw = intersection(ranges, _RAW)
    escaped = [letter for code, letter in _SHORT.items() if any(first <= code <= last for first, last in ranges)]
    options: list[Node] = [Characters(raw)] if raw else []
    if escaped:
        letters = union((ord(letter), ord(letter)) for letter in escaped)
        options.append(Sequence((Literal("\\"), Characters(letters))))
    return options[0] if len(options) == 1 else Choice(tuple(options))


class _Writer:
    """Makes nodes of a parsed expression, once it is known which of its ends are anchored."""

    def __init__(self, parser: RegexParser, character: Callable[[Ranges], Node]) -> None:
        self._parser = parser
        self._character = character
        self._anything = Repeat(character(ALL))

    def whole(self, tree: Tree, search: bool) -> Node:
        return self._placed(tree, not search, not search)

    def _placed(self, tree: Tree, at_start: bool, at_end: bool) -> Node:
        """`tree` with anything before and behind it, unless it is `at_start` and `at_end` or has anchors there."""
        return _choice([self._alternative(parts, at_start, at_end) for parts in tree])

    def _alternative(self, parts: list[Part], at_start: bool, at_end: bool) -> Node:
        first, last = 0, len(parts)
        while first < last and isinstance(part := parts[first], Anchor) and part.at_start:
            first, at_start = first + 1, True
        while first < last and isinstance(part := parts[last - 1], Anchor) and not part.at_start:
            last, at_end = last - 1, True
        match parts[first:last]:
            case [Group(tree)]:
                return self._placed(tree, at_start, at_end)
            case rest:
                return self._between(self._sequence(rest), at_start, at_end)

    def _between(self, node: Node, at_start: bool, at_end: bool) -> Node:
        before = () if at_start else (self._anything,)
        behind = () if at_end else (self._anything,)
        return Sequence((*before, node, *behind)) if before or behind else node

    def _sequence(self, parts: list[Part]) -> Node:
        return _joined([self._node(part) for part in parts])

    def _node(self, part: Part) -> Node:
        match part:
            case Group(tree):
                return _choice([self._sequence(parts) for parts in tree])
            case Quantified(item, least, most):
                return repeat(self._node(item), least, most)
            case Anchor(at_start, position):
                self._parser.fail(f"{'^' if at_start else '$'} in the middle, where nothing could fit", position)
        return self._character(part)


def _joined(nodes: list[Node]) -> Node:
    """`nodes` one behind the other, neighbouring texts as one."""
    items: list[Node] = []
    for kind, group in groupby(nodes, type):
        together = list(group)
        items += [_text(together)] if kind is Literal else together
    return items[0] if len(items) == 1 else Sequence(tuple(items))


def _choice(options: list[Node]) -> Node:
    return options[0] if len(options) == 1 else Choice(tuple(options))


def _text(literals: list[Node]) -> Literal:
    return Literal("".join(each.text for each in literals if isinstance(each, Literal)))
