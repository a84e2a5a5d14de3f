"""Grammars of arguments that are not one JSON object: each parameter's, put together as a family writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from ovms_llm.grammar import write
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.json_schema.formats import NODES
from ovms_llm.grammar.nodes import Characters, Grammar, Node, Repeat
from ovms_llm.grammar.regex import translation as regex
from ovms_llm.grammar.write import literal
from ovms_llm.speech.functions.grammars import MOST_CALLS, anything_but, json_ebnf, renamed
from ovms_llm.speech.functions.parameters import is_text, kinds, properties, required, resolved
from ovms_llm.speech.functions.tools import Function

Write = Callable[[Function, str, Any], str]
"""From a function, a parameter's name and its schema to the EBNF of how it is written, with the rule ``root``."""

_DEFINITIONS: Final = ("$schema", "$defs", "definitions")
_SOME_NAME: Final = "some_name_of_a_parameter"
_NAME: Final = "[a-zA-Z_] [a-zA-Z0-9_]{0,63}"


def parameters(function: Function, write: Write, separator: str = "") -> str:
    """The parameters of `function` in their order, those left out that may be; any where it does not say which."""
    needed, rules = required(function), ["root ::= none0"]
    known = properties(function)
    if not known:
        return _undeclared(function, write, separator)
    for number, (name, schema) in enumerate(known.items()):
        after = number + 1
        without = ("", "") if name in needed else (f" | none{after}", f" | some{after}")
        rules += [
            f"none{number} ::= p{number}-root some{after}{without[0]}",
            f"some{number} ::= {literal(separator)} p{number}-root some{after}{without[1]}",
            renamed(write(function, name, schema), f"p{number}"),
        ]
    return "\n".join([*rules, f'none{len(known)} ::= ""', f'some{len(known)} ::= ""']) + "\n"


def _undeclared(function: Function, write: Write, separator: str) -> str:
    schema = resolved(function.parameters, function.parameters)
    if "properties" in schema or schema.get("additionalProperties") is False:
        return 'root ::= ""\n'
    one = write(function, _SOME_NAME, {}).replace(_SOME_NAME, '" name "')
    more = f"({literal(separator)} p-root){{0,{MOST_CALLS - 1}}}"
    return f'root ::= "" | p-root {more}\n{renamed(one, "p")}\np-name ::= {_NAME}\n'


def after(text: str, ebnf: str, behind: str = "") -> str:
    """`ebnf` between two texts."""
    return f"root ::= {literal(text)} v-root {literal(behind)}\n{renamed(ebnf, 'v')}"


def value(function: Function, name: str, schema: Any) -> str:
    """The value of the parameter called `name`, as JSON."""
    root = function.parameters
    whole = {key: root[key] for key in _DEFINITIONS if key in root} | (schema if isinstance(schema, dict) else {})
    try:
        return json_ebnf(whole, function.strict)
    except GrammarError as error:
        if function.strict:
            raise GrammarError(error.message, f"/properties/{name}{error.pointer}") from None
        return json_ebnf({}, False)


def bare(function: Function, name: str, schema: Any, end: str) -> str:
    """A value with no quotes around a string, in front of `end`, which is no part of it."""
    allowed = kinds(schema, function.parameters)
    if allowed is not None and "string" not in allowed:
        return value(function, name, schema)
    known = resolved(schema, function.parameters)
    if options := _options(known):
        texts = (each if isinstance(each, str) else json.dumps(each) for each in options)
        return "root ::= " + " | ".join(map(literal, texts)) + "\n"
    return text(function, schema, end) or _without(end)


def text(function: Function, schema: Any, end: str) -> str | None:
    """A string as it is, in front of `end`, which is no part of it; `None` where something else may stand there."""
    if not is_text(schema, function.parameters):
        return None
    known = resolved(schema, function.parameters)
    if options := _options(known):
        return "root ::= " + " | ".join(map(literal, options)) + "\n"
    if (node := _pattern(known, function.strict)) is not None:
        return write.ebnf(Grammar({"root": node}))
    least, most = _count(known.get("minLength")), _count(known.get("maxLength"))
    if (least, most) == (None, None) or (most is not None and (least or 0) > most):
        return _without(end)
    other = Characters(((ord(end[0]), ord(end[0])),), negated=True)
    return write.ebnf(Grammar({"root": Repeat(other, least or 0, most)}))


def _count(bound: Any) -> int | None:
    """`bound` if it is a length; a function that is not strict may say anything."""
    return int(bound) if type(bound) in (int, float) and bound >= 0 and bound == bound // 1 else None


def _options(schema: dict[str, Any]) -> list[Any]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum") or ())


def _pattern(schema: dict[str, Any], strict: bool) -> Node | None:
    """What a string has to be by its pattern or its format, where it has one that can be enforced."""
    if not isinstance(pattern := schema.get("pattern"), str):
        return NODES.get(schema.get("format", ""))
    try:
        return regex.node(pattern, search=True)
    except GrammarError:
        if strict:
            raise
        return None


def _without(end: str) -> str:
    """Any text in which the first half of `end` does not occur, so that who begins to write it has to go on with it.

    Rule ``read-n`` stands behind its first n characters.
    """
    half = end[: max(2, len(end) // 2)]
    rules = ["root ::= read-0"]
    for count, letter in enumerate(half):
        others = sorted({half[0]} - {letter})
        going_on = [f"{literal(letter)} read-{count + 1}"] if count + 1 < len(half) else []
        again = [f"{literal(other)} read-1" for other in others]
        otherwise = f"{anything_but(letter, *others)} read-0"
        rules.append(f"read-{count} ::= " + " | ".join(['""', *going_on, *again, otherwise]))
    return "\n".join(rules) + "\n"
