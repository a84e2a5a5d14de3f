"""A schema as one document of draft 2020-12 that refers only to itself, whatever draft it was written for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urldefrag

from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.json_schema.reading import pointers
from ovms_llm.grammar.json_schema.reading.budget import Budget
from ovms_llm.grammar.json_schema.reading.drafts import Renamed, modern
from ovms_llm.grammar.json_schema.reading.keywords import ANNOTATIONS, MANY, NAMED, ONE, PLAIN
from ovms_llm.grammar.json_schema.reading.metaschema import check


@dataclass(slots=True)
class Document:
    """A modern schema, and where its parts stood in what the client sent."""

    root: Any = True
    moved: Renamed = field(default_factory=list)

    def original(self, pointer: str) -> str:
        """Where what stands at `pointer` stood in the client's schema."""
        fitting = [(new, old) for new, old in self.moved if (pointer + "/").startswith(new + "/")]
        new, old = max(fitting, key=lambda pair: len(pair[0]), default=("", ""))
        return old + pointer[len(new) :]

    def current(self, pointer: str) -> str:
        """Where what stood at `pointer` in the client's schema stands now."""
        fitting = [(new, old) for new, old in self.moved if (pointer + "/").startswith(old + "/") and new != pointer]
        new, old = max(fitting, key=lambda pair: len(pair[1]), default=("", ""))
        return new + pointer[len(old) :]


def read(schema: Any, budget: Budget) -> Document:
    """`schema` checked and made modern; raises `GrammarError` for what is no schema, and for one that is too large."""
    reader = _Reader(budget)
    reader.document.root = reader.schema(schema, "", "", 0)
    check(reader.document.root, reader.document.original)
    reader.bind_references()
    return reader.document


@dataclass(slots=True)
class _Reader:
    budget: Budget
    document: Document = field(default_factory=Document)
    names: dict[str, str] = field(default_factory=dict)
    references: list[tuple[dict[str, Any], str]] = field(default_factory=list)

    def schema(self, value: Any, old: str, new: str, depth: int) -> Any:
        self.budget.spend(1, old)
        self.budget.descend(depth, old)
        if not isinstance(value, dict):
            return value
        self._remember_names(value, new)
        fresh, renamed = modern(value, old, new)
        self.document.moved += renamed
        kept = {key: self._keyword(key, item, old, new, depth) for key, item in fresh.items() if _matters(key, item)}
        if "$ref" in kept:
            self.references.append((kept, old))
        return kept

    def _remember_names(self, value: dict[str, Any], pointer: str) -> None:
        for key, mark in (("$anchor", "#"), ("$dynamicAnchor", "#"), ("$id", ""), ("id", "")):
            if isinstance(value.get(key), str):
                self.names.setdefault(mark + value[key].removesuffix("#"), pointer)

    def _keyword(self, key: str, value: Any, old: str, new: str, depth: int) -> Any:
        new = pointers.join(new, key)
        old = self._old(old, key, new)
        if key in MANY and isinstance(value, list):
            return [
                self.schema(item, pointers.join(old, i), pointers.join(new, i), depth + 1)
                for i, item in enumerate(value)
            ]
        if key in NAMED and isinstance(value, dict):
            return {name: self._named(name, item, old, new, depth) for name, item in value.items()}
        if key in PLAIN:
            self.budget.spend(len(value) if isinstance(value, list) else 0, old)
            return value
        return self.schema(value, old, new, depth + 1)

    def _old(self, old: str, key: str, new: str) -> str:
        return next(
            (before for after, before in reversed(self.document.moved) if after == new), pointers.join(old, key)
        )

    def _named(self, name: str, value: Any, old: str, new: str, depth: int) -> Any:
        old = pointers.join(old, name)
        self.budget.spend(len(name), old)
        return self.schema(value, old, pointers.join(new, name), depth + 1)

    def bind_references(self) -> None:
        for schema, pointer in self.references:
            schema["$ref"] = pointers.fragment(self._target(schema["$ref"], pointers.join(pointer, "$ref")))

    def _target(self, reference: str, pointer: str) -> str:
        target = self._named_target(reference, pointer)
        try:
            found = pointers.find(self.document.root, target)
        except LookupError:
            raise GrammarError(f'"{reference}" points to nothing in the schema', pointer) from None
        check(found, lambda inner: self.document.original(target + inner))
        return target

    def _named_target(self, reference: str, pointer: str) -> str:
        if reference in self.names:
            return self.names[reference]
        base, text = urldefrag(reference)
        if base and base not in self.names:
            raise GrammarError(
                f'"{reference}" lies outside the schema; put what it refers to under $defs and refer to it there',
                pointer,
            )
        text = pointers.of_fragment(text)
        if f"#{text}" in self.names:
            return self.names[f"#{text}"]
        if text and not text.startswith("/"):
            raise GrammarError(f'"{reference}" names no anchor of the schema', pointer)
        return self.document.current(self.names.get(base, "") + text)


def _matters(key: str, value: Any) -> bool:
    """Unknown keywords mean nothing, but `$ref` may point into them (``#/components/schemas/…``)."""
    known = key in PLAIN or key in ONE or key in MANY or key in NAMED
    return known or (key not in ANNOTATIONS and isinstance(value, dict))
