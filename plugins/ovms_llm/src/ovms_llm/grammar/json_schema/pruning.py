"""Takes away what can never be finished, and the rules that nothing needs."""

from __future__ import annotations

from collections.abc import Iterator

from ovms_llm.grammar.json_schema.parts import EMPTY, NEVER, choice
from ovms_llm.grammar.nodes import Choice, Node, Reference, Repeat, Sequence

Rules = dict[str, Node]


def pruned(rules: Rules, root: Node) -> tuple[Rules, Node]:
    """The rules that `root` needs, without alternatives that make nothing; a root that makes nothing is `NEVER`."""
    fruitful = _fruitful(rules)
    kept = {name: _cut(rules[name], fruitful) for name in fruitful}
    root = _cut(root, fruitful)
    needed = _needed(kept, root)
    return {name: node for name, node in kept.items() if name in needed}, root


def _fruitful(rules: Rules) -> dict[str, None]:
    """The rules that make some text, found from those that need no others."""
    found: dict[str, None] = {}
    open_ones = list(reversed(rules))
    while True:
        still = [name for name in open_ones if not _makes(rules[name], found)]
        if len(still) == len(open_ones):
            return {name: None for name in rules if name in found}
        found.update(dict.fromkeys(set(open_ones) - set(still)))
        open_ones = still


def _makes(node: Node, found: dict[str, None]) -> bool:
    match node:
        case Reference(name):
            return name in found
        case Sequence(items):
            return all(_makes(item, found) for item in items)
        case Choice(options):
            return any(_makes(option, found) for option in options)
        case Repeat(item, least):
            return least == 0 or _makes(item, found)
        case _:
            return True


def _cut(node: Node, fruitful: dict[str, None]) -> Node:
    match node:
        case Reference(name):
            return node if name in fruitful else NEVER
        case Sequence(items):
            cut = tuple(_cut(item, fruitful) for item in items)
            return NEVER if NEVER in cut else Sequence(cut)
        case Choice(options):
            return choice(option for option in (_cut(option, fruitful) for option in options) if option != NEVER)
        case Repeat(item, least, most):
            inner = _cut(item, fruitful)
            return Repeat(inner, least, most) if inner != NEVER else EMPTY if least == 0 else NEVER
        case _:
            return node


def _needed(rules: Rules, root: Node) -> set[str]:
    needed: set[str] = set()
    open_ones = list(_references(root))
    while open_ones:
        name = open_ones.pop()
        if name not in needed:
            needed.add(name)
            open_ones += _references(rules[name])
    return needed


def _references(node: Node) -> Iterator[str]:
    match node:
        case Reference(name):
            yield name
        case Sequence(parts) | Choice(parts):
            for part in parts:
                yield from _references(part)
        case Repeat(item):
            yield from _references(item)
        case _:
            pass
