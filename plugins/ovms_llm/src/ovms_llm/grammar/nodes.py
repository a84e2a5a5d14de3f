"""What grammars are made of: every kind of guide becomes these, so that limits and checks are the same for all.

A grammar is a set of rules, each a node. Texts are Unicode; how they are cut into tokens is XGrammar's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Literal:
    """The text itself; the empty text is nothing."""

    text: str


@dataclass(frozen=True, slots=True)
class Characters:
    """One character out of `ranges` of code points, both ends included; with `negated` any other."""

    ranges: tuple[tuple[int, int], ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    """All `items`, one behind the other."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `options`."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`item` at least `least` times and at most `most` times; `None` sets no upper bound."""

    item: Node
    least: int = 0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """The rule called `name`."""

    name: str


Node = Literal | Characters | Sequence | Choice | Repeat | Reference


@dataclass(slots=True)
class Grammar:
    """Rules by name; a text fits if rule `root` makes it."""

    rules: dict[str, Node] = field(default_factory=dict)
    root: str = "root"
