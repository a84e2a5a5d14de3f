"""Other forms of a grammar: the same texts from simpler rules, and no endless white space."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ovms_llm.grammar.characters import Ranges, difference, union
from ovms_llm.grammar.nodes import Characters, Choice, Grammar, Literal, Node, Reference, Repeat, Sequence

MOST_BLANKS: Final = 32
_BLANKS: Final[Ranges] = ((0x09, 0x0D), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x2000, 0x200B), (0x3000, 0x3000))


def bounded(grammar: Grammar) -> Grammar:
    """`grammar` with white space of at most `MOST_BLANKS` characters where it had no bound.

    A weak model that may write white space for ever does so. Of rules, those are seen that repeat single characters by
    calling themselves, such as ``ws ::= [ \\t] ws | ""``.
    """
    rules = {name: _without_recursion(name, node) for name, node in grammar.rules.items()}
    blank = {name for name, node in rules.items() if _is_blank(node, frozenset())}
    return Grammar({name: _bounded(node, frozenset(blank)) for name, node in rules.items()}, grammar.root)


def repeat(item: Node, least: int = 0, most: int | None = None) -> Node:
    """`item` repeated: what is a repetition itself is merged where the counts leave no gap."""
    if isinstance(item, Sequence | Choice) and len(item_parts := _parts(item)) == 1:
        return repeat(item_parts[0], least, most)
    if (least, most) == (1, 1):
        return item
    if isinstance(item, Repeat) and _leaves_no_gap(item, least, most):
        unbounded = (most is None and item.most != 0) or (item.most is None and most != 0)
        return Repeat(item.item, item.least * least, None if unbounded else (item.most or 0) * (most or 0))
    return Repeat(item, least, most)


def _parts(node: Sequence | Choice) -> tuple[Node, ...]:
    return node.items if isinstance(node, Sequence) else node.options


def _leaves_no_gap(inner: Repeat, least: int, most: int | None) -> bool:
    """Whether k times `inner` and k + 1 times `inner` overlap or touch, for every k from `least` on."""
    if inner.most is None:
        return least > 0 or inner.least <= 1
    if most is not None and least == most:
        return True
    return least * inner.most + 1 >= (least + 1) * inner.least


def _is_blank(node: Node, blank: frozenset[str]) -> bool:
    """Whether every text of `node` is white space. A rule is known by name, if it is."""
    match node:
        case Literal(text):
            return not text.strip()
        case Characters(ranges, negated):
            return not negated and not difference(ranges, _BLANKS)
        case Sequence(items):
            return all(_is_blank(item, blank) for item in items)
        case Choice(options):
            return all(_is_blank(option, blank) for option in options)
        case Repeat(item):
            return _is_blank(item, blank)
        case Reference(name):
            return name in blank


def _bounded(node: Node, blank: frozenset[str]) -> Node:
    match node:
        case Sequence(items):
            return Sequence(tuple(_bounded(item, blank) for item in items))
        case Choice(options):
            return Choice(tuple(_bounded(option, blank) for option in options))
        case Repeat(item, least, None) if _is_blank(item, blank):
            return _few(item, least)
        case Repeat(item):
            return replace(node, item=_bounded(item, blank))
    return node


def _few(item: Node, least: int) -> Node:
    """White space `item` repeated: its own repetitions would multiply, so it is said once more what may stand there."""
    ranges = _single_characters(item)
    return Repeat(item if ranges is None else Characters(ranges), least, max(least, MOST_BLANKS))


def _single_characters(node: Node) -> Ranges | None:
    """The characters of a node whose texts are any number of them, each at least one character long."""
    match node:
        case Literal(text) if len(text) == 1:
            return ((ord(text), ord(text)),)
        case Characters(ranges):
            return union(ranges)
        case Choice(options):
            found = [_single_characters(option) for option in options]
            return None if None in found else union(each for ranges in found if ranges for each in ranges)
        case Repeat(item, least, _) if least <= 1:
            return _single_characters(item)
        case Sequence((item,)):
            return _single_characters(item)
    return None


def _without_recursion(name: str, node: Node) -> Node:
    """``ws ::= [ \\t] ws | "a"`` as ``ws ::= [ \\t]* "a"``; `node` where it does not call itself behind white space."""
    match node:
        case Repeat(Sequence((first, Reference(other))), 0, 1) if other == name:
            return Repeat(first) if _is_blank(first, frozenset()) else node
        case Choice(options):
            again = [before for option in options if (before := _blank_before(option, name)) is not None]
            others = [option for option in options if _blank_before(option, name) is None]
            if again and others:
                return Sequence((Repeat(Choice(tuple(again))), Choice(tuple(others))))
    return node


def _blank_before(node: Node, name: str) -> Node | None:
    """The white space that stands before the rule `name` in `node`, if that is all of it."""
    match node:
        case Sequence((first, Reference(other))) if other == name and _is_blank(first, frozenset()):
            return first
    return None
