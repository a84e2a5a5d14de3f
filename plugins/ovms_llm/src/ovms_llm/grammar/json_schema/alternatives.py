"""The options of a `oneOf`, of which no two may fit one document."""

from __future__ import annotations

from functools import cached_property
from itertools import combinations

from ovms_llm.grammar.json_schema.reading.facts import Facts, Part
from ovms_llm.grammar.json_schema.reading.keywords import TYPES
from ovms_llm.grammar.json_schema.report import Report
from ovms_llm.grammar.json_schema.values import enumerated

PAIRS = 400
"""More pairs of options than these are not compared."""


class Outline:
    """What of an option is compared with others, worked out once."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    @cached_property
    def values(self) -> frozenset[str] | None:
        return _values(self.facts)

    @cached_property
    def written(self) -> set[str]:
        """The types of what is written."""
        return self.possible if self.values is not None else set(self.facts.types())

    @cached_property
    def possible(self) -> set[str]:
        """The types of all that fits: keywords about other types leave a value alone."""
        if self.values is not None:
            return {_type(identity) for identity in self.values}
        return set(self.facts.types()) if self.facts.all("type") else set(TYPES)

    @cached_property
    def required(self) -> set[str]:
        return {name for part in self.facts.all("required") for name in part.value}

    @cached_property
    def properties(self) -> dict[str, frozenset[str] | None]:
        """The declared properties, and the values of those that are enumerated."""
        names = {name for part in self.facts.all("properties") for name in part.value}
        return {name: self._values_of(name) for name in sorted(names)}

    def _values_of(self, name: str) -> frozenset[str] | None:
        declared = [part.value.get(name) for part in self.facts.all("properties")]
        schemas = [schema for schema in declared if isinstance(schema, dict)]
        return _values(Facts(tuple(Part(schema, str(i)) for i, schema in enumerate(schemas))))

    def forbids(self, name: str) -> bool:
        return any(
            source.value.get("additionalProperties") is False
            and name not in source.value.get("properties", {})
            and not source.value.get("patternProperties")
            for source in self.facts.sources
        )


def separated(options: list[Facts], pointer: str, report: Report) -> list[Facts]:
    """`options` if they exclude each other, or told apart by a property that is required for this."""
    outlines = [Outline(option) for option in options]
    if len(options) * (len(options) - 1) // 2 <= PAIRS and all(apart(*pair) for pair in combinations(outlines, 2)):
        return options
    first, *others = outlines
    for name in first.properties:
        if _distinct([first.properties[name], *(other.properties.get(name) for other in others)]):
            return [option + _requiring(name, option) for option in options]
    report.add(pointer, "more than one of them may fit; anyOf allows that")
    return options


def apart(one: Outline, other: Outline) -> bool:
    """Whether surely no document fits both."""
    types_apart = _types_apart(one.written, other.possible) and _types_apart(other.written, one.possible)
    return types_apart or _distinct([one.values, other.values]) or _objects_apart(one, other)


def _types_apart(mine: set[str], others: set[str]) -> bool:
    return not mine & others and not ({"integer", "number"} <= mine | others)


def _objects_apart(one: Outline, other: Outline) -> bool:
    """One requires what the other forbids, or both require a property whose values differ."""
    if one.written != {"object"} or other.written != {"object"}:
        return False
    if any(map(other.forbids, one.required)) or any(map(one.forbids, other.required)):
        return True
    shared = one.required & other.required
    return any(_distinct([one.properties.get(name), other.properties.get(name)]) for name in shared)


def _values(facts: Facts) -> frozenset[str] | None:
    found = enumerated(facts)
    return None if found is None else frozenset(found)


def _distinct(sets: list[frozenset[str] | None]) -> bool:
    known = [found for found in sets if found is not None]
    return len(known) == len(sets) and len(frozenset().union(*known)) == sum(map(len, known))


def _type(identity: str) -> str:
    names = {'"': "string", "{": "object", "[": "array", "t": "boolean", "f": "boolean", "n": "null"}
    return names.get(identity[0], "number")


def _requiring(name: str, option: Facts) -> Facts:
    pointer = option.tops[0] if option.tops else ""
    return Facts((Part({"type": "object", "required": [name]}, f"{pointer}?required={name}"),))
