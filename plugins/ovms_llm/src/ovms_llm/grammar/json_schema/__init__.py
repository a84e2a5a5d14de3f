"""JSON Schema to grammars: documents that a grammar lets a model write fit the schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ovms_llm.grammar.checks.analysis import check
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.json_schema.parts import NEVER
from ovms_llm.grammar.json_schema.pruning import pruned
from ovms_llm.grammar.json_schema.reading.budget import Budget
from ovms_llm.grammar.json_schema.reading.document import Document, read
from ovms_llm.grammar.json_schema.reading.facts import Nothing
from ovms_llm.grammar.json_schema.report import Report, Unenforced
from ovms_llm.grammar.json_schema.translator import Translator
from ovms_llm.grammar.limits import Limits
from ovms_llm.grammar.nodes import Grammar

__all__ = ["Translation", "translate"]

DEFAULTS = Limits()


@dataclass(frozen=True, slots=True)
class Translation:
    """A grammar, and JSON pointers to the keywords of the schema that it does not enforce."""

    grammar: Grammar
    unenforced: tuple[str, ...] = ()


def translate(schema: Any, *, limits: Limits = DEFAULTS, strict: bool = True) -> Translation:
    """The grammar of the documents that fit `schema` (JSON Schema draft 2020-12, older drafts, OpenAPI 3.0).

    Documents are compact, with at most one blank behind a colon or a comma, and have their properties in the schema's
    order. Properties that are not declared are only written where `additionalProperties` says so. Raises
    `GrammarError` for what is no schema, for one that nothing fits or that is over `limits` and, with `strict`, for a
    keyword that cannot be enforced.
    """
    try:
        return _translate(schema, Budget(limits), Report(strict))
    except RecursionError:
        raise GrammarError("the schema is nested too deep; flatten it, or use $defs and $ref") from None


def _translate(schema: Any, budget: Budget, report: Report) -> Translation:
    document = read(schema, budget)
    translator = Translator(document, budget, report)
    try:
        grammar = _grammar(translator)
    except Nothing as nothing:
        raise _unsatisfiable(nothing, document) from None
    except Unenforced as unenforced:
        raise unenforced.error(document.original(unenforced.pointer)) from None
    except GrammarError as error:
        raise GrammarError(error.message, document.original(error.pointer)) from None
    check(grammar, budget.limits)
    return Translation(grammar, tuple(dict.fromkeys(map(document.original, report.found))))


def _grammar(translator: Translator) -> Grammar:
    root = translator.translate()
    rules, root = pruned(translator.rules, root)
    if root == NEVER:
        endless = Nothing("it contains itself without an end", "")
        raise translator.failures[-1] if translator.failures else endless
    return Grammar({"root": root, **rules})


def _unsatisfiable(nothing: Nothing, document: Document) -> GrammarError:
    return GrammarError(f"nothing fits this schema: {nothing.reason}", document.original(nothing.pointer))
