"""Structural tags as clients write them (https://xgrammar.mlc.ai/docs/tutorials/structural_tag.html), made ours.

What is in them is translated like any other schema, expression or grammar, so that the same limits and checks hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NoReturn

from ovms_llm.grammar import formats
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.formats import Format
from ovms_llm.grammar.nodes import Characters
from ovms_llm.grammar.weight import class_size

LeafKind = Literal["json_schema", "regex", "grammar"]
Leaf = Callable[[LeafKind, Any, str], Format]
"""Makes the format of a ``json_schema``, ``regex`` or ``grammar`` out of its content, at a JSON pointer."""

_LEAVES: Final[dict[LeafKind, str]] = {"json_schema": "json_schema", "regex": "pattern", "grammar": "grammar"}
_LARGEST: Final = 1_000
"""How many formats one tag may be made of."""
_FREE_TEXT: Final = class_size(Characters((), negated=True))


def structural_tag(document: Any, leaf: Leaf, *, depth: int) -> Format:
    """The format in `document`: ``{"type": "structural_tag", "format": …}``, the format alone, or the older form.

    Raises `GrammarError` with the JSON pointer of what is not understood.
    """
    reader = _Reader(leaf, depth)
    if not isinstance(document, Mapping):
        reader.fail("A structural tag must be an object.", "")
    if "structures" in document:
        return reader.older(document)
    if document.get("type", "structural_tag") != "structural_tag":
        return reader.format(document, "", 0)
    if "format" not in document:
        reader.fail("A structural tag needs a 'format', or 'structures' and 'triggers'.", "")
    return reader.format(document["format"], "/format", 0)


def own_size(format: Format) -> int:
    """What `format` costs to compile beside the grammars in it: its texts, and each place where any text may stand."""
    texts = [format[name] for name in ("value", "begin", "separator") if name in format]
    ends, triggers = format.get("end", []), format.get("triggers", [])
    texts += [*([ends] if isinstance(ends, str) else ends), *triggers]
    free = _FREE_TEXT if format["type"] == "any_text" or triggers else 0
    inner = [*format.get("elements", ()), *format.get("tags", ())]
    inner += [format["content"]] if "content" in format else []
    return free + sum(1 + len(text) // 2 for text in texts) + sum(map(own_size, inner))


class _Reader:
    def __init__(self, leaf: Leaf, depth: int) -> None:
        self._leaf = leaf
        self._depth = depth
        self._count = 0
        self._kinds: Mapping[str, Callable[[Mapping[str, Any], str, int], Format]] = {
            "const_string": self._const_string,
            "any_text": lambda given, pointer, depth: formats.any_text(),
            "sequence": lambda *place: formats.sequence(*self._elements(*place)),
            "or": lambda *place: formats.either(*self._elements(*place)),
            "tag": self._tag,
            "triggered_tags": self._triggered,
            "tags_with_separator": self._separated,
        }

    def fail(self, message: str, pointer: str) -> NoReturn:
        raise GrammarError(message, pointer)

    def older(self, document: Mapping[str, Any]) -> Format:
        """vLLM's form: tags with schemas, wherever a trigger stands."""
        tags = [self._structure(*each) for each in self._objects(document, "structures", "")]
        triggers = self._texts(document, "triggers", "")
        self._check_triggers(tags, triggers, "/structures")
        return formats.triggered(triggers, tags)

    def _structure(self, pointer: str, given: Mapping[str, Any]) -> Format:
        if given.get("schema") is None:
            self.fail("A structure needs a 'schema'.", pointer)
        content = self._leaf("json_schema", given["schema"], f"{pointer}/schema")
        return formats.tag(self._text(given, "begin", pointer), content, self._text(given, "end", pointer))

    def format(self, given: Any, pointer: str, depth: int) -> Format:
        if not isinstance(given, Mapping):
            self.fail("A format must be an object.", pointer)
        self._count += 1
        if depth > self._depth or self._count > _LARGEST:
            self.fail(f"The structural tag is too large: {self._depth} levels, {_LARGEST} formats at most.", pointer)
        kind = given.get("type")
        for leaf, name in _LEAVES.items():
            if kind == leaf:
                return self._leaf(leaf, *self._content(given, leaf, name, pointer))
        if not isinstance(kind, str) or kind not in self._kinds:
            known = ", ".join(sorted([*_LEAVES, *self._kinds]))
            self.fail(f"The type of format {kind!r} is not supported. These are: {known}.", f"{pointer}/type")
        return self._kinds[kind](given, pointer, depth)

    def _content(self, given: Mapping[str, Any], kind: str, name: str, pointer: str) -> tuple[Any, str]:
        if given.get(name) is None:
            self.fail(f"A format of type '{kind}' needs '{name}'.", pointer)
        return given[name], f"{pointer}/{name}"

    def _const_string(self, given: Mapping[str, Any], pointer: str, depth: int) -> Format:
        return formats.text(self._text(given, "value", pointer))

    def _tag(self, given: Mapping[str, Any], pointer: str, depth: int) -> Format:
        begin, end = self._text(given, "begin", pointer), given.get("end")
        content = self.format(given.get("content"), f"{pointer}/content", depth + 1)
        ends = self._texts(given, "end", pointer) if isinstance(end, list) else [self._text(given, "end", pointer)]
        return {**formats.tag(begin, content, ends[0]), "end": ends if len(ends) > 1 else ends[0]}

    def _triggered(self, given: Mapping[str, Any], pointer: str, depth: int) -> Format:
        tags, triggers = self._tags(given, pointer, depth), self._texts(given, "triggers", pointer)
        self._check_triggers(tags, triggers, f"{pointer}/tags")
        return {**formats.triggered(triggers, tags), **self._switches(given, pointer)}

    def _separated(self, given: Mapping[str, Any], pointer: str, depth: int) -> Format:
        separator = self._text(given, "separator", pointer)
        tags = self._tags(given, pointer, depth)
        return {"type": "tags_with_separator", "tags": tags, "separator": separator, **self._switches(given, pointer)}

    def _switches(self, given: Mapping[str, Any], pointer: str) -> dict[str, bool]:
        switches = {name: given.get(name, False) for name in ("at_least_one", "stop_after_first")}
        for name, value in switches.items():
            if not isinstance(value, bool):
                self.fail(f"'{name}' must be true or false.", f"{pointer}/{name}")
        return switches

    def _tags(self, given: Mapping[str, Any], pointer: str, depth: int) -> list[Format]:
        return [self._tag(tag, at, depth + 1) for at, tag in self._objects(given, "tags", pointer)]

    def _elements(self, given: Mapping[str, Any], pointer: str, depth: int) -> list[Format]:
        return [self.format(each, at, depth + 1) for at, each in self._objects(given, "elements", pointer)]

    def _objects(self, given: Mapping[str, Any], name: str, pointer: str) -> list[tuple[str, Mapping[str, Any]]]:
        """The members of the list called `name`, each with its pointer."""
        value = given.get(name)
        if not isinstance(value, list) or not value or not all(isinstance(each, Mapping) for each in value):
            self.fail(f"'{name}' must be a list of at least one object.", f"{pointer}/{name}")
        return [(f"{pointer}/{name}/{at}", each) for at, each in enumerate(value)]

    def _text(self, given: Mapping[str, Any], name: str, pointer: str) -> str:
        value = given.get(name)
        if not isinstance(value, str):
            self.fail(f"'{name}' must be a string.", f"{pointer}/{name}")
        return value

    def _texts(self, given: Mapping[str, Any], name: str, pointer: str) -> list[str]:
        value = given.get(name)
        if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
            self.fail(f"'{name}' must be a list of strings that are not empty.", f"{pointer}/{name}")
        return value

    def _check_triggers(self, tags: list[Format], triggers: list[str], pointer: str) -> None:
        for at, tag in enumerate(tags):
            if not tag["begin"].startswith(tuple(triggers)):
                message = f"The beginning of a tag must start with a trigger, which '{tag['begin']}' does not."
                self.fail(message, f"{pointer}/{at}/begin")
