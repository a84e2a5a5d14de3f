"""What a grammar says about a text, told without an engine; and texts that a grammar makes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from ovms_llm.grammar.nodes import Characters, Choice, Grammar, Literal, Node, Reference, Repeat, Sequence

FAR = 1_000_000
LAST = 0x10FFFF
SURROGATES = range(0xD800, 0xE000)


def accepts(grammar: Grammar, text: str) -> bool:
    """Whether `grammar` makes `text`; no rule may begin with itself."""
    return len(text) in Acceptor(grammar, text).ends(grammar.rules[grammar.root], 0)


class Acceptor:
    """All places where a node that begins at a place of the text can end, remembered."""

    def __init__(self, grammar: Grammar, text: str) -> None:
        self.grammar = grammar
        self.text = text
        self.known: dict[tuple[int, int], frozenset[int]] = {}

    def ends(self, node: Node, start: int) -> frozenset[int]:
        key = (id(node), start)
        if key not in self.known:
            self.known[key] = frozenset(self._find(node, start))
        return self.known[key]

    def _find(self, node: Node, start: int) -> Iterable[int]:
        match node:
            case Literal(text):
                return [start + len(text)] if self.text.startswith(text, start) else []
            case Characters():
                return [start + 1] if start < len(self.text) and holds(node, ord(self.text[start])) else []
            case Reference(name):
                return self.ends(self.grammar.rules[name], start)
            case Choice(options):
                return [end for option in options for end in self.ends(option, start)]
            case Sequence(items):
                places = {start}
                for item in items:
                    places = {end for place in places for end in self.ends(item, place)}
                return places
            case Repeat():
                return self._repeated(node, start)

    def _repeated(self, node: Repeat, start: int) -> set[int]:
        places, reached, count = {start}, set[int](), 0
        while places and (node.most is None or count <= node.most):
            fresh = places - reached if count > node.least else places
            reached |= fresh if count >= node.least else set()
            places = {end for place in fresh for end in self.ends(node.item, place)}
            count += 1
        return reached


def holds(node: Characters, point: int) -> bool:
    return any(low <= point <= high for low, high in node.ranges) != node.negated


class Writer:
    """Writes random texts that a grammar makes, of about the size that is asked for."""

    def __init__(self, grammar: Grammar, seed: int | random.Random, size: int = 60) -> None:
        self.grammar = grammar
        self.random = seed if isinstance(seed, random.Random) else random.Random(seed)
        self.size = size
        self.left = size
        self.heights = heights(grammar)
        self.height = cache(self._height)

    def write(self) -> str:
        self.left = self.size
        return self._write(Reference(self.grammar.root))

    def _write(self, node: Node) -> str:
        self.left -= 1
        match node:
            case Literal(text):
                return text
            case Characters():
                return chr(some(node, self.random))
            case Reference(name):
                return self._write(self.grammar.rules[name])
            case Choice():
                return self._write(self._option(node))
            case Sequence(items):
                return "".join(map(self._write, items))
            case Repeat():
                return "".join(self._write(node.item) for _ in range(self._times(node)))

    def _option(self, node: Choice) -> Node:
        possible = [option for option in node.options if self.height(option) < FAR]
        return min(possible, key=self.height) if self.left < 0 else self.random.choice(possible)

    def _times(self, node: Repeat) -> int:
        most = node.least + 4 if node.most is None else min(node.most, node.least + 4)
        endless = self.height(node.item) >= FAR
        return node.least if endless or self.left < 0 else self.random.randint(node.least, most)

    def _height(self, node: Node) -> int:
        return height(node, self.heights.__getitem__)


def heights(grammar: Grammar) -> dict[str, int]:
    """How deep the shortest derivation of every rule is; `FAR` where there is none."""
    found = dict.fromkeys(grammar.rules, FAR)
    while True:
        new = {name: min(FAR, 1 + height(node, found.__getitem__)) for name, node in grammar.rules.items()}
        if new == found:
            return found
        found = new


def height(node: Node, of_rule: Callable[[str], int]) -> int:
    match node:
        case Literal() | Characters():
            return 0
        case Reference(name):
            return of_rule(name)
        case Choice(options):
            return min((height(option, of_rule) for option in options), default=FAR)
        case Sequence(items):
            return max((height(item, of_rule) for item in items), default=0)
        case Repeat(item, least):
            return height(item, of_rule) if least else 0


def some(node: Characters, chance: random.Random) -> int:
    """A code point that fits, often one of ASCII."""
    if not node.negated:
        low, high = chance.choice(node.ranges)
        return chance.randint(low, high)
    while True:
        point = chance.randint(0, 0x7F if chance.random() < 0.8 else LAST)
        if holds(node, point) and point not in SURROGATES:
            return point


def shape(grammar: Grammar) -> dict[str, Any]:
    """How large a grammar is: its rules, and the nodes in them."""
    return {"rules": len(grammar.rules), "nodes": sum(map(count, grammar.rules.values()))}


def count(node: Node) -> int:
    match node:
        case Sequence(parts) | Choice(parts):
            return 1 + sum(map(count, parts))
        case Repeat(item):
            return 1 + count(item)
        case _:
            return 1
