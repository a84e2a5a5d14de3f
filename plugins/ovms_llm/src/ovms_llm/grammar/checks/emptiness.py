"""Repetitions of what may be empty: XGrammar reads a text in ever more ways then, and each token takes longer."""

from __future__ import annotations

from typing import Final

from ovms_llm.grammar.checks.analysis import is_nullable, nullable_rules, rules_with
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.nodes import Characters, Choice, Grammar, Literal, Node, Reference, Repeat, Sequence

_MOST_PARTS: Final = 64
_SUFFIX: Final = "-nonempty"


def without_empty_repetitions(grammar: Grammar) -> Grammar:
    """The same texts, with nothing empty repeated: ``(a? b?)*`` becomes ``(a b? | b)*``.

    The rules to which `grammar` refers are all there. Raises `GrammarError` where it would become large.
    """
    return _Rewriting(grammar).done()


class _Rewriting:
    """Of one grammar. A rule that may be empty gets a second one, without the empty text, where that is needed."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._nullable = nullable_rules(grammar)
        self._filled = set(rules_with(grammar, _is_filled))
        self._rules: dict[str, Node] = {}
        self._wanted: list[str] = []

    def done(self) -> Grammar:
        for name, node in self._grammar.rules.items():
            self._rules[name] = self._node(node)
        while self._wanted:
            name = self._wanted.pop()
            self._rules[name + _SUFFIX] = self._nonempty(self._rules[name])
        return Grammar(self._rules, self._grammar.root)

    def _node(self, node: Node) -> Node:
        match node:
            case Sequence(items):
                return Sequence(tuple(map(self._node, items)))
            case Choice(options):
                return Choice(tuple(map(self._node, options)))
            case Repeat(item, least, most):
                return self._repeated(self._node(item), least, most)
        return node

    def _repeated(self, item: Node, least: int, most: int | None) -> Node:
        if not is_nullable(item, self._nullable):
            return Repeat(item, least, most)
        return Repeat(self._nonempty(item), 0, most) if _is_filled(item, self._filled) else Literal("")

    def _nonempty(self, node: Node) -> Node:
        """The texts of `node` but the empty one; it has others."""
        if not is_nullable(node, self._nullable):
            return node
        match node:
            case Sequence(items):
                return self._begun(items)
            case Choice(options):
                return Choice(tuple(self._nonempty(each) for each in options if _is_filled(each, self._filled)))
            case Repeat(item, _, most):
                return Repeat(self._nonempty(item), 1, most)
            case Reference(name):
                return self._second_rule(name)
        raise AssertionError(f"{node} is empty")

    def _begun(self, items: tuple[Node, ...]) -> Node:
        """A sequence of parts that may all be empty, by the first that is not."""
        if len(items) > _MOST_PARTS:
            raise GrammarError(
                f"A repetition has {len(items)} parts that may all be empty, {_MOST_PARTS} at most are allowed. "
                "Let one of them always be there."
            )
        begins = ((at, item) for at, item in enumerate(items) if _is_filled(item, self._filled))
        return Choice(tuple(Sequence((self._nonempty(item), *items[at + 1 :])) for at, item in begins))

    def _second_rule(self, name: str) -> Node:
        if name + _SUFFIX not in self._rules:
            self._rules[name + _SUFFIX] = Literal("")  # until its turn comes
            self._filled.add(name + _SUFFIX)
            self._wanted.append(name)
        return Reference(name + _SUFFIX)


def _is_filled(node: Node, known: set[str] | frozenset[str]) -> bool:
    """Whether some text of `node` is not empty, when that is so for the rules that are `known`."""
    match node:
        case Literal(text):
            return bool(text)
        case Characters():
            return True
        case Sequence(items):
            return any(_is_filled(item, known) for item in items)
        case Choice(options):
            return any(_is_filled(option, known) for option in options)
        case Repeat(item, _, most):
            return most != 0 and _is_filled(item, known)
        case Reference(name):
            return name in known
