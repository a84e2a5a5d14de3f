"""Names of properties, as they stand in a document."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ovms_llm.grammar.json_schema.parts import EMPTY, PLAIN, QUOTE, STRING, choice, sequence
from ovms_llm.grammar.json_schema.reading.facts import Facts, Part, flatten
from ovms_llm.grammar.json_schema.report import Report
from ovms_llm.grammar.json_schema.translation import Translation
from ovms_llm.grammar.json_schema.values import Test, enumerated, tester, written
from ovms_llm.grammar.nodes import Characters, Literal, Node


def key_text(name: str) -> str:
    return written(name)


BRANCHES = 6
"""Places in a name at which any other letter may follow: each takes some 50 ms to compile."""
LETTERS = 40


@lru_cache(256)
def _matcher(pattern: str) -> Test:
    return tester({"pattern": pattern})


def matches(pattern: str, name: str) -> bool:
    """Whether `pattern` is found in `name`."""
    return _matcher(pattern)(name)


def fits(names: Part, name: str, report: Report) -> bool:
    """Whether the schema `names` of a `propertyNames` lets `name` through."""
    if isinstance(names.value, bool):
        return names.value
    if '"$ref"' in written(names.value):
        report.add(names.pointer, "beside declared properties, with a $ref")
        return True
    return tester(names.value)(name)


def any_key(names: list[str]) -> Node:
    """Any name but `names`.

    What tells them apart is how they are written, so there is one way to write each: no character is escaped that
    need not be.
    """
    if not names:
        return STRING
    texts = [_pieces(name) for name in names]
    return sequence(QUOTE, _other_than(texts, _depth(texts)), QUOTE)


def _depth(texts: list[tuple[str, ...]]) -> int:
    """How many letters are looked at before a name is given up that begins like a declared one."""
    longest = max(map(len, texts))
    tried = range(longest + 1, 1, -1) if longest < LETTERS else range(LETTERS, 1, -1)
    return next((depth for depth in tried if _branches(texts, depth) <= BRANCHES), 1)


def _branches(texts: list[tuple[str, ...]], depth: int) -> int:
    return len({text[:place] for text in texts for place in range(min(depth, len(text) + 1))})


def _pieces(name: str) -> tuple[str, ...]:
    """The characters of a name, each as it is written."""
    return tuple(written(character)[1:-1] for character in name)


def _other_than(texts: list[tuple[str, ...]], depth: int) -> Node:
    """Any text that differs from each of `texts` in its first `depth` letters."""
    by_first: dict[str, list[tuple[str, ...]]] = {}
    for text in texts:
        if text:
            by_first.setdefault(text[0], []).append(text[1:])
    deeper = by_first.items() if depth > 1 else ()
    options = [sequence(Literal(first), _other_than(rests, depth - 1)) for first, rests in deeper]
    return choice([*([] if () in texts else [EMPTY]), *options, sequence(_none_of(by_first), PLAIN)])


def _none_of(firsts: dict[str, Any]) -> Node:
    """One character that is none of `firsts`."""
    plain = [(ord(first), ord(first)) for first in firsts if len(first) == 1]
    raw = Characters(tuple(sorted([(0, 0x1F), (0x22, 0x22), (0x5C, 0x5C), *plain])), negated=True)
    escapes = [letter for letter in '"\\bfnrt' if "\\" + letter not in firsts]
    escaped = sequence(Literal("\\"), Characters(tuple((ord(letter), ord(letter)) for letter in sorted(escapes))))
    return choice((raw, escaped)) if escapes else raw


def named_keys(translation: Translation, allowed: tuple[Part, ...], names: list[str]) -> Node:
    """Any name but `names` that the schemas `allowed` let through."""
    text = Part({"type": "string"}, "?string")
    facts = flatten((*allowed, text), translation.document, translation.budget)
    if len(facts.sources) == 1 and not facts.alternatives:
        return any_key(names)
    values = None if facts.alternatives else enumerated(facts)
    if values is not None:
        return _enumerated_keys(translation, facts, [*values.values()], names)
    if names:
        translation.report.add(allowed[0].pointer, "beside declared properties")
    return translation.describe(facts)


def _enumerated_keys(translation: Translation, facts: Facts, allowed: list[Any], names: list[str]) -> Node:
    left = [name for name in allowed if isinstance(name, str) and name not in names]
    return translation.describe(facts + Facts((Part({"enum": left}, "?left"),)))
