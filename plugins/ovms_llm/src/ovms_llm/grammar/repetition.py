"""Long bounded repetitions of a character, in a form that compiles fast.

XGrammar makes a token mask of every place in a grammar, and where any letter may stand a mask costs milliseconds: 200
of them are seconds. So a long repetition is a chain of blocks of `BLOCK` characters. The rules of a block and of the
rest are the same wherever the character is, and so are their masks. The price is time in the engine, for tokens that
reach beyond a block (docs/engine-notes.md has the figures).

A mask looks no further than to the end of its rule. So what may be a character or an escape, and would be a rule, is
never repeated as such: nearly all tokens would be looked at again in every step.
"""

from __future__ import annotations

from typing import Final

from ovms_llm.grammar.nodes import Characters, Choice, Grammar, Literal, Node, Reference, Repeat, Sequence
from ovms_llm.grammar.weight import class_size

BLOCK: Final = 32
_LONG: Final = BLOCK + BLOCK // 2
_WIDE: Final = 50
_LONGEST: Final = 1 << 16
"""Longer ones are left as they are, and are too large."""


def unrolled(grammar: Grammar) -> Grammar:
    """The same texts, with long repetitions written as chains."""
    chains = _Chains(grammar)
    rules = {name: chains.written(node) for name, node in grammar.rules.items()}
    return Grammar({**rules, **chains.rules}, grammar.root)


class _Chains:
    """Rules by what they make: those of one character are shared by all of its repetitions."""

    def __init__(self, grammar: Grammar) -> None:
        self.rules: dict[str, Node] = {}
        self._grammar = grammar
        self._prefixes: dict[Node, str] = {}
        self._ones: dict[str, tuple[Node, ...]] = {}

    def written(self, node: Node) -> Node:
        match node:
            case Sequence(items):
                return Sequence(tuple(map(self.written, items)))
            case Choice(options):
                return Choice(tuple(map(self.written, options)))
            case Repeat(item, least, most) if self._is_long(node):
                return self._chain(item, least, most)
            case Repeat(item, least, most):
                return Repeat(self.written(item), least, most)
        return node

    def _is_long(self, node: Repeat) -> bool:
        if wide_character(node.item, self._grammar) < _WIDE:
            return False
        longest = max(node.least, node.most or 0)
        if len(self._alternatives(node.item)) > 1:
            return longest <= _LONGEST and (longest > 1 or node.most is None)
        return _LONG < longest <= _LONGEST

    def _chain(self, item: Node, least: int, most: int | None) -> Node:
        prefix = self._prefix(item)
        first = self._exactly(prefix, least)
        rest = self._any(item) if most is None else self._at_most(prefix, most - least)
        return Sequence((first, rest))

    def _any(self, item: Node) -> Node:
        """Any number of `item`."""
        first, *others = self._alternatives(item)
        if not others:
            return Repeat(item)
        return Sequence((Repeat(first), Repeat(Sequence((Choice(tuple(others)), Repeat(first))))))

    def _prefix(self, item: Node) -> str:
        """The beginning of the names of the rules for `item`, which the grammar's own names do not have."""
        if item not in self._prefixes:
            prefix = f"{item.name if isinstance(item, Reference) else f'chain_{len(self._prefixes)}'}_times_"
            while any(name.startswith(prefix) for name in self._grammar.rules):
                prefix = f"_{prefix}"
            self._prefixes[item] = prefix
            self._ones[prefix] = self._alternatives(item)
        return self._prefixes[item]

    def _alternatives(self, item: Node) -> tuple[Node, ...]:
        """What a character may be, the widest first."""
        found = self._grammar.rules[item.name] if isinstance(item, Reference) else item
        options = found.options if isinstance(found, Choice) else (found,)
        return tuple(sorted(options, key=lambda option: -wide_character(option, self._grammar)))

    def _exactly(self, prefix: str, count: int) -> Node:
        blocks, rest = divmod(count, BLOCK)
        counts = [BLOCK] * blocks + [rest] * bool(rest)
        return Sequence(tuple(self._some(prefix, each) for each in counts))

    def _at_most(self, prefix: str, count: int) -> Node:
        """Whole blocks, then fewer characters than a block has: so there is one way to read a text."""
        blocks, rest = divmod(count, BLOCK)
        before = self._rest(prefix, rest)
        for at in range(1, blocks + 1):
            again = Sequence((self._some(prefix, BLOCK), before))
            before = self._rule(f"{prefix}most_{at * BLOCK + rest}", Choice((self._rest(prefix, BLOCK - 1), again)))
        return before

    def _some(self, prefix: str, count: int) -> Node:
        """Exactly `count`, fewer than a block or one."""
        return self._link(f"{prefix}some", prefix, count, optional=False)

    def _rest(self, prefix: str, count: int) -> Node:
        """At most `count`, fewer than a block."""
        return self._link(f"{prefix}rest", prefix, count, optional=True)

    def _link(self, kind: str, prefix: str, count: int, *, optional: bool) -> Node:
        if f"{kind}_{count}" in self.rules:
            return Reference(f"{kind}_{count}")
        node: Node = Literal("")
        for at in range(1, count + 1):
            longer = [Sequence((each, node)) for each in self._ones[prefix]]
            node = self._rule(f"{kind}_{at}", Choice((Literal(""), *longer) if optional else tuple(longer)))
        return node

    def _rule(self, name: str, node: Node) -> Node:
        self.rules.setdefault(name, node)
        return Reference(name)


def wide_character(node: Node, grammar: Grammar) -> int:
    """What the mask of `node` costs if it is one character, plain or escaped; else 0."""
    match node:
        case Characters():
            return class_size(node)
        case Choice(options):
            return max((wide_character(option, grammar) for option in options), default=0)
        case Sequence((Literal(text), Characters() as last)) if len(text) == 1:
            return class_size(last)
        case Reference(name):
            return _wide_rule(grammar.rules.get(name), grammar)
    return 0


def _wide_rule(rule: Node | None, grammar: Grammar) -> int:
    """The same for a rule, whose own references are taken for narrow, as an escape is."""
    options = rule.options if isinstance(rule, Choice) else (rule,)
    known = [option for option in options if option is not None and not isinstance(option, Reference)]
    return max((wide_character(option, grammar) for option in known), default=0)
