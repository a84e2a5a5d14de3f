"""From what an answer shall look like to a format for the engine; what took work is remembered by content."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from ovms_llm.grammar import formats
from ovms_llm.grammar.checks.analysis import check
from ovms_llm.grammar.checks.emptiness import without_empty_repetitions
from ovms_llm.grammar.checks.size import size
from ovms_llm.grammar.common import common_names
from ovms_llm.grammar.ebnf import parsed
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.formats import Format
from ovms_llm.grammar.json_schema import translate
from ovms_llm.grammar.limits import Limits
from ovms_llm.grammar.nodes import Choice, Grammar
from ovms_llm.grammar.nodes import Literal as Text
from ovms_llm.grammar.recall import Recall
from ovms_llm.grammar.regex.translation import node
from ovms_llm.grammar.rewriting import bounded
from ovms_llm.grammar.structural_tag import own_size, structural_tag
from ovms_llm.grammar.write import ebnf

Kind = Literal["json_object", "json_schema", "regex", "choice", "grammar", "structural_tag"]


@dataclass(frozen=True, slots=True)
class Output:
    """What an answer shall look like: a schema, an expression, texts to choose from, a grammar or a structural tag.

    With `strict` what cannot be enforced is refused; else it is told. Only schemas have such.
    """

    kind: Kind
    value: Any = None
    strict: bool = True


@dataclass(frozen=True, slots=True)
class Enforced:
    """A `format`, the JSON pointers of what it does not enforce, the `size` of its grammars, and their common rules."""

    format: Format
    unenforced: tuple[str, ...] = ()
    size: int = 0
    common: frozenset[str] = frozenset()


_recall: Recall[Enforced] = Recall(16 << 20)


def format_of(output: Output, limits: Limits) -> Enforced:
    """The format of `output`. Raises `GrammarError` with a JSON pointer into its value."""
    return _recall.get((output.kind, output.value, output.strict, limits), lambda: _format(output, limits))


def _format(output: Output, limits: Limits) -> Enforced:
    if output.kind == "structural_tag":
        return _Tag(output.strict, limits).format(output.value)
    grammar, unenforced = _grammar(output, limits)
    text = ebnf(grammar)
    return Enforced(formats.grammar(text), unenforced, size(grammar), common_names(text.splitlines()))


def _grammar(output: Output, limits: Limits) -> tuple[Grammar, tuple[str, ...]]:
    match output.kind:
        case "json_schema" | "json_object":
            schema = {"type": "object"} if output.kind == "json_object" else output.value
            translation = translate(schema, limits=limits, strict=output.strict)
            return translation.grammar, translation.unenforced
        case "grammar":
            grammar = parsed(_text(output, limits), limits=limits)
        case "regex":
            grammar = Grammar({"root": node(_text(output, limits), limits=limits)})
        case _:
            grammar = Grammar({"root": Choice(tuple(map(Text, output.value)))})
    check(grammar := bounded(grammar), limits)
    check(grammar := without_empty_repetitions(grammar), limits)
    return grammar, ()


def _text(output: Output, limits: Limits) -> str:
    """The text of an expression or a grammar, if it is not too long."""
    if not isinstance(output.value, str):
        raise GrammarError(f"A {output.kind} must be a string.")
    if len(output.value) > limits.characters:
        message = f"It has {len(output.value)} characters, {limits.characters} at most are allowed: make it shorter."
        raise GrammarError(message)
    return output.value


class _Tag:
    """A structural tag, whose grammars together keep the limits."""

    def __init__(self, strict: bool, limits: Limits) -> None:
        self._strict = strict
        self._limits = limits
        self._left = limits.size
        self._unenforced: list[str] = []

    def format(self, document: Any) -> Enforced:
        if isinstance(document, str):
            document = _json(document)
        format = structural_tag(document, self._leaf, depth=self._limits.depth)
        self._left -= own_size(format)
        if self._left < 0:
            message = "The structural tag is too large to compile: use fewer tags and triggers, and shorter texts."
            raise GrammarError(f"{message} The limit of its size is {self._limits.size}.")
        return Enforced(format, tuple(self._unenforced), self._limits.size - self._left)

    def _leaf(self, kind: Kind, value: Any, pointer: str) -> Format:
        limits = Limits(self._limits.characters, self._limits.depth, self._left)
        try:
            grammar, unenforced = _grammar(Output(kind, value, self._strict), limits)
        except GrammarError as error:
            raise GrammarError(error.message, pointer + error.pointer) from None
        self._left -= size(grammar)
        self._unenforced += [pointer + each for each in unenforced]
        return formats.grammar(ebnf(grammar))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GrammarError(f"It is not JSON: {error}.") from None
