"""Arrays: what stands first, what follows, and how many."""

from __future__ import annotations

from ovms_llm.grammar.json_schema.parts import COMMA, EMPTY, listed, maybe, sequence
from ovms_llm.grammar.json_schema.reading.facts import Facts, Nothing, Position
from ovms_llm.grammar.json_schema.report import Report
from ovms_llm.grammar.json_schema.translation import Translation
from ovms_llm.grammar.nodes import Literal, Node, Repeat


def array(translation: Translation, facts: Facts) -> Node:
    least, most = _counts(facts)
    _leave(facts, most, translation.report)
    first, most = _first_items(translation, facts, most)
    if most is None or most > len(first):
        rest, most = _rest(translation, facts, len(first), most)
    else:
        rest = EMPTY
    if most is not None and least > most:
        raise Nothing(f"at least {least} items are asked for, and at most {most} can be", _place(facts))
    return sequence(Literal("["), _items(translation, first, rest, least, most), Literal("]"))


def _counts(facts: Facts) -> tuple[int, int | None]:
    least = max((int(part.value) for part in facts.all("minItems")), default=0)
    return least, min((int(part.value) for part in facts.all("maxItems")), default=None)


def _leave(facts: Facts, most: int | None, report: Report) -> None:
    for source in facts.sources:
        schema = source.value
        if schema.get("uniqueItems") is True and (most is None or most > 1):
            report.add(source.below("uniqueItems").pointer)
        if "contains" in schema and not (schema.get("minContains") == 0 and "maxContains" not in schema):
            report.add(source.below("contains").pointer)
        if schema.get("unevaluatedItems", True) is not True:
            report.add(source.below("unevaluatedItems").pointer)


def _first_items(translation: Translation, facts: Facts, most: int | None) -> tuple[list[Node], int | None]:
    """The items with a schema of their own; none may stand where nothing fits."""
    count = max((len(part.value) for part in facts.all("prefixItems")), default=0)
    nodes: list[Node] = []
    for place in range(count if most is None else min(count, most)):
        try:
            nodes.append(translation.place(_bound_to(facts, place)))
        except Nothing:
            return nodes, place
    return nodes, most


def _rest(translation: Translation, facts: Facts, count: int, most: int | None) -> tuple[Node, int | None]:
    try:
        return translation.place(_bound_to(facts, count)), most
    except Nothing:
        return EMPTY, count


def _bound_to(facts: Facts, place: int) -> Position:
    """The schemas of the item at `place`."""
    found = []
    for source in facts.sources:
        if place < len(source.value.get("prefixItems", ())):
            found.append(source.below("prefixItems", place))
        elif "items" in source.value:
            found.append(source.below("items"))
    return tuple(found)


def _items(translation: Translation, first: list[Node], rest: Node, least: int, most: int | None) -> Node:
    if not first:
        return EMPTY if most == 0 else listed(rest, least, most)
    left = None if most is None else most - len(first)
    tail: Node = EMPTY if left == 0 else Repeat(sequence(COMMA, rest), max(least - len(first), 0), left)
    for place in range(len(first) - 1, -1, -1):
        tail = sequence(COMMA if place else EMPTY, first[place], tail)
        if place >= least:
            tail = maybe(tail if place == 0 else translation.share(tail))
    return tail


def _place(facts: Facts) -> str:
    return next((part.pointer for part in facts.all("minItems")), facts.tops[0] if facts.tops else "")
