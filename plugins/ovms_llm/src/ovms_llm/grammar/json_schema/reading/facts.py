"""All that is said about one place of a document: by a schema, by what it refers to, and by the members of `allOf`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.json_schema.reading import pointers
from ovms_llm.grammar.json_schema.reading.budget import Budget
from ovms_llm.grammar.json_schema.reading.document import Document
from ovms_llm.grammar.json_schema.reading.keywords import CONSTRAINTS, KINDS, TYPES


class Nothing(Exception):
    """No value fits what is said about a place."""

    def __init__(self, reason: str, pointer: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.pointer = pointer


@dataclass(frozen=True, slots=True)
class Part:
    """A schema, or the value of a keyword, and where it stands."""

    value: Any
    pointer: str

    def below(self, *keys: str | int) -> Part:
        found = self.value
        for key in keys:
            found = found[key]
        return Part(found, pointers.join(self.pointer, *keys))


Position = tuple[Part, ...]
"""The schemas that all bind one place."""


@dataclass(frozen=True, slots=True)
class Alternatives:
    """The members of an `anyOf` or a `oneOf`, and the schemas through which it was reached."""

    options: tuple[Part, ...]
    pointer: str
    exclusive: bool
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """The schemas that bind one place, laid flat: `sources` by their keywords alone, and what is still to be chosen."""

    sources: tuple[Part, ...] = ()
    alternatives: tuple[Alternatives, ...] = ()
    tops: tuple[str, ...] = ()

    def __add__(self, other: Facts) -> Facts:
        known = {source.pointer for source in self.sources}
        fresh = tuple(source for source in other.sources if source.pointer not in known)
        return Facts(self.sources + fresh, self.alternatives + other.alternatives, self.tops)

    def key(self) -> tuple[str, ...]:
        return tuple(sorted(source.pointer for source in self.sources))

    def all(self, keyword: str) -> list[Part]:
        """Every value of `keyword`."""
        return [source.below(keyword) for source in self.sources if keyword in source.value]

    def types(self) -> list[str]:
        """The types that all allow; where none is named, those that the keywords are about."""
        found = self.all("type")
        if not found:
            return self._meant()
        allowed = set.intersection(*(_wide(part.value) for part in found))
        if not allowed:
            raise Nothing("the types exclude each other", found[-1].pointer)
        return [name for name in TYPES if name in allowed and (name != "integer" or "number" not in allowed)]

    def _meant(self) -> list[str]:
        keywords = {keyword for source in self.sources for keyword in source.value}
        meant = [kind for kind, names in KINDS.items() if keywords & names]
        return meant or [name for name in TYPES if name != "integer"]

    def open(self) -> bool:
        """Whether any value fits."""
        return not any(CONSTRAINTS & source.value.keys() for source in self.sources)


def _wide(value: Any) -> set[str]:
    types = set(value if isinstance(value, list) else [value])
    return types | {"integer"} if "number" in types else types


def flatten(position: Position, document: Document, budget: Budget, path: tuple[str, ...] = ()) -> Facts:
    """The facts of `position`; `path` holds the schemas that lead to it without a step into the document."""
    flat = _Flattening(document, budget)
    for part in position:
        flat.add(part, path)
    return Facts(tuple(flat.sources.values()), tuple(flat.alternatives), tuple(part.pointer for part in position))


class _Flattening:
    def __init__(self, document: Document, budget: Budget) -> None:
        self.document = document
        self.budget = budget
        self.sources: dict[str, Part] = {}
        self.alternatives: list[Alternatives] = []

    def add(self, part: Part, path: tuple[str, ...]) -> None:
        self.budget.spend(1, part.pointer)
        self.budget.descend(len(path), part.pointer)
        if part.pointer in path:
            raise GrammarError("this refers to itself without an end: nothing ever fits it", path[-1])
        if part.value is False:
            raise Nothing("the schema is false, which nothing fits", part.pointer)
        if part.value is not True and part.pointer not in self.sources:
            self._lay(part, (*path, part.pointer))

    def _lay(self, part: Part, path: tuple[str, ...]) -> None:
        if CONSTRAINTS & part.value.keys():
            self.sources[part.pointer] = part
        for inner in self._inner(part):
            self.add(inner, path)
        for keyword in ("anyOf", "oneOf"):
            if keyword in part.value:
                options = tuple(part.below(keyword, i) for i in range(len(part.value[keyword])))
                self._choose(options, pointers.join(part.pointer, keyword), keyword == "oneOf", path)

    def _inner(self, part: Part) -> Iterator[Part]:
        if "$ref" in part.value:
            target = pointers.of_fragment(part.value["$ref"][1:])
            yield Part(pointers.find(self.document.root, target), target)
        for i in range(len(part.value.get("allOf", ()))):
            yield part.below("allOf", i)

    def _choose(self, options: tuple[Part, ...], pointer: str, exclusive: bool, path: tuple[str, ...]) -> None:
        if len(options) == 1:
            self.add(options[0], path)
        else:
            self.alternatives.append(Alternatives(options, pointer, exclusive, path))
