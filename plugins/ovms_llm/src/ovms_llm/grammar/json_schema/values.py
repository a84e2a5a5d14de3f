"""Enumerated values: which of them fit the rest of what is said, and how they are written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ovms_llm.grammar.json_schema.parts import choice
from ovms_llm.grammar.json_schema.reading.checking import built
from ovms_llm.grammar.json_schema.reading.facts import Facts, Nothing, Part
from ovms_llm.grammar.json_schema.reading.keywords import CONSTRAINTS, FORMATS
from ovms_llm.grammar.json_schema.report import Report
from ovms_llm.grammar.nodes import Literal, Node

Test = Callable[[Any], bool]


def written(value: Any) -> str:
    """`value` as compact JSON, characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def identity(value: Any) -> str:
    """Equal for values that JSON Schema takes for equal, whatever order and whichever way of writing a number."""
    return json.dumps(_canonical(value), sort_keys=True)


def _canonical(value: Any) -> Any:
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def enumerated(facts: Facts) -> dict[str, Any] | None:
    """The values that every `enum` and `const` allows, by identity; `None` where there is neither."""
    lists = [part.value for part in facts.all("enum")] + [[part.value] for part in facts.all("const")]
    if not lists:
        return None
    allowed = [{identity(value): value for value in values} for values in lists]
    return {key: value for key, value in allowed[0].items() if all(key in others for others in allowed)}


def literals(facts: Facts, report: Report) -> Node:
    """One of the enumerated values."""
    values = enumerated(facts) or {}
    tests = [test for source in facts.sources if (test := _rest_of(source, report))]
    fitting = [value for value in values.values() if all(test(value) for test in tests)]
    if not fitting:
        raise Nothing("no value of this enumeration fits", _place(facts))
    return choice(Literal(written(value)) for value in fitting if _is_text(value))


def _is_text(value: Any) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in written(value))


def _place(facts: Facts) -> str:
    return next(part.pointer for part in [*facts.all("enum"), *facts.all("const")])


def _rest_of(source: Part, report: Report) -> Test | None:
    """What `source` says beside its enumeration; what that refers to cannot be looked up here."""
    rest = {key: value for key, value in source.value.items() if key in CONSTRAINTS - {"enum", "const"}}
    if rest and '"$ref"' in json.dumps(rest):
        kept = next(key for key in rest if '"$ref"' in json.dumps(rest[key]))
        report.add(source.below(kept).pointer, "beside an enumeration")
        return None
    return tester(rest) if rest else None


def tester(schema: Any) -> Test:
    """Whether a value fits `schema`, which refers to nothing; a schema that cannot be built lets everything through."""
    known = {key: value for key, value in schema.items() if key != "format" or value in FORMATS}
    try:
        return built(known).is_valid
    except ValueError:
        return lambda value: True
