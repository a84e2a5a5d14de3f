"""Checks of a grammar before the engine sees it: that it is one, that it can be satisfied, and that it is no bomb."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ovms_llm.grammar.checks.size import TOO_LARGE, size
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.limits import Limits
from ovms_llm.grammar.nodes import Characters, Choice, Grammar, Literal, Node, Reference, Repeat, Sequence

_NODES_A_LEVEL = 8
"""How many nodes one level of a schema or an expression may be nested in."""


def check(grammar: Grammar, limits: Limits, pointer: str = "") -> None:
    """Raise `GrammarError` for a grammar that cannot be satisfied, or that would take too long to compile."""
    _check_depth(grammar, limits, pointer)
    _check_references(grammar, pointer)
    _check_size(grammar, limits, pointer)
    nullable = nullable_rules(grammar)
    _check_satisfiable(grammar, pointer)
    _check_recursion(grammar, nullable, pointer)


def parts(node: Node) -> tuple[Node, ...]:
    """What `node` is put together from."""
    match node:
        case Sequence(items):
            return items
        case Choice(options):
            return options
        case Repeat(item):
            return (item,)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """`node` and everything in it."""
    waiting = [node]
    while waiting:
        here = waiting.pop()
        yield here
        waiting.extend(parts(here))


def _check_depth(grammar: Grammar, limits: Limits, pointer: str) -> None:
    level, most = list(grammar.rules.values()), limits.depth * _NODES_A_LEVEL
    for _ in range(most):
        level = [part for node in level for part in parts(node)]
        if not level:
            return
    raise GrammarError(f"It is nested too deeply: at most {limits.depth} levels are allowed.", pointer)


def _check_references(grammar: Grammar, pointer: str) -> None:
    for rule, node in [(grammar.root, Reference(grammar.root)), *grammar.rules.items()]:
        for part in walk(node):
            if isinstance(part, Reference) and part.name not in grammar.rules:
                raise GrammarError(f"The rule '{rule}' refers to '{part.name}', which is not there: add it.", pointer)


def _check_size(grammar: Grammar, limits: Limits, pointer: str) -> None:
    needed = size(grammar)
    if needed > limits.size:
        much = f"over {TOO_LARGE}" if needed >= TOO_LARGE else str(needed)
        message = f"It is too large to compile: its size is {much}, the limit is {limits.size}."
        raise GrammarError(f"{message} Make it simpler, or lower its bounds of lengths and counts.", pointer)


def _check_satisfiable(grammar: Grammar, pointer: str) -> None:
    if grammar.root not in productive_rules(grammar):
        raise GrammarError("It can never be satisfied: no finite text fits.", pointer)


def nullable_rules(grammar: Grammar) -> frozenset[str]:
    """The rules that the empty text fits."""
    return rules_with(grammar, is_nullable)


def productive_rules(grammar: Grammar) -> frozenset[str]:
    """The rules that some finite text fits."""
    return rules_with(grammar, _is_productive)


Property = Callable[[Node, set[str]], bool]


def rules_with(grammar: Grammar, has: Property) -> frozenset[str]:
    """The rules that have a property, which follows from those that are known to have it: the least such set.

    A rule is looked at again when one that it refers to has joined, so the work is proportional to the grammar.
    """
    users: dict[str, list[str]] = {}
    for rule, node in grammar.rules.items():
        for part in walk(node):
            if isinstance(part, Reference):
                users.setdefault(part.name, []).append(rule)
    known: set[str] = set()
    waiting = list(grammar.rules)
    while waiting:
        rule = waiting.pop()
        if rule not in known and has(grammar.rules[rule], known):
            known.add(rule)
            waiting.extend(users.get(rule, ()))
    return frozenset(known)


def is_nullable(node: Node, known: set[str] | frozenset[str]) -> bool:
    match node:
        case Literal(text):
            return not text
        case Characters():
            return False
        case Sequence(items):
            return all(is_nullable(item, known) for item in items)
        case Choice(options):
            return any(is_nullable(option, known) for option in options)
        case Repeat(item, least, most):
            return least == 0 or most == 0 or is_nullable(item, known)
        case Reference(name):
            return name in known


def _is_productive(node: Node, known: set[str]) -> bool:
    match node:
        case Literal():
            return True
        case Characters(ranges, negated):
            return negated or bool(ranges)
        case Sequence(items):
            return all(_is_productive(item, known) for item in items)
        case Choice(options):
            return any(_is_productive(option, known) for option in options)
        case Repeat(item, least, most):
            return (least == 0 and (most is None or most >= 0)) or _is_productive(item, known)
        case Reference(name):
            return name in known


def _check_recursion(grammar: Grammar, nullable: frozenset[str], pointer: str) -> None:
    """XGrammar parses from the left: a rule that begins with itself would be entered without end."""
    begins = {rule: list(_first_references(node, nullable)) for rule, node in grammar.rules.items()}
    if rule := _on_a_circle(begins):
        message = f"The rule '{rule}' begins with itself (left recursion): write it with a repetition instead."
        raise GrammarError(message, pointer)


def _first_references(node: Node, nullable: frozenset[str]) -> Iterator[str]:
    """The rules that a text of `node` may begin with."""
    match node:
        case Reference(name):
            yield name
        case Sequence(items):
            for item in items:
                yield from _first_references(item, nullable)
                if not is_nullable(item, nullable):
                    return
        case _:
            for part in parts(node):
                yield from _first_references(part, nullable)


def _on_a_circle(edges: dict[str, list[str]]) -> str | None:
    """A node that leads back to itself; by depth-first search without recursion, since rules may be thousands."""
    done: set[str] = set()
    for start in edges:
        path: dict[str, Iterator[str]] = {} if start in done else {start: iter(edges[start])}
        while path:
            here = next(reversed(path))
            following = next(path[here], None)
            if following is None:
                done.add(here)
                del path[here]
            elif following in path:
                return following
            elif following not in done:
                path[following] = iter(edges[following])
    return None
