"""A slow, plain reading of grammars, to compare the fast ones with."""

from collections.abc import Iterator

from ovms_llm.grammar.nodes import Characters, Choice, Grammar, Literal, Node, Reference, Repeat, Sequence


def fits(text: str, grammar: Grammar) -> bool:
    """Whether `grammar` makes `text`."""
    return len(text) in _ends({0}, grammar.rules[grammar.root], text, grammar)


def _ends(starts: set[int], node: Node, text: str, grammar: Grammar) -> set[int]:
    """Where a text of `node` may end that begins at one of `starts`."""
    match node:
        case Literal(wanted):
            return {at + len(wanted) for at in starts if text.startswith(wanted, at)}
        case Characters(ranges, negated):
            return {at + 1 for at in starts if at < len(text) and _has(ranges, text[at]) != negated}
        case Sequence(items):
            for item in items:
                starts = _ends(starts, item, text, grammar)
            return starts
        case Choice(options):
            return {end for option in options for end in _ends(starts, option, text, grammar)}
        case Reference(name):
            return _ends(starts, grammar.rules[name], text, grammar) if starts else set()
        case Repeat():
            return set(_repeated(starts, node, text, grammar))


def _repeated(starts: set[int], node: Repeat, text: str, grammar: Grammar) -> Iterator[int]:
    seen: set[tuple[int, ...]] = set()
    times = 0
    while starts and (node.most is None or times <= node.most):
        if times >= node.least:
            yield from starts
            if tuple(sorted(starts)) in seen:
                return
            seen.add(tuple(sorted(starts)))
        starts = _ends(starts, node.item, text, grammar)
        times += 1


def _has(ranges: tuple[tuple[int, int], ...], character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in ranges)
