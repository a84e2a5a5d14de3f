"""Grammars of arguments that are not one JSON object: each parameter's, put together as a family writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ovms_llm.speech.grammars import anything_but, literal, renamed
from ovms_llm.speech.parameters import is_text, kinds, properties, required, resolved
from ovms_llm.speech.tools import Function

Write = Callable[[Function, str, Any], str]
"""From a function, a parameter's name and its schema to the EBNF of how it is written, with the rule ``root``."""

_ANY_VALUE = r"""root ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" (member (", " member)*)? "}"
member ::= string ": " root
array ::= "[" (root (", " root)*)? "]"
string ::= "\"" ([^"\\\x00-\x1f] | "\\" ["\\/bfnrt] | "\\u" [0-9a-fA-F]{4})* "\""
number ::= "-"? ("0" | [1-9] [0-9]{0,15}) ("." [0-9]{1,16})? ([eE] [+-]? [0-9]{1,3})?
"""


def parameters(function: Function, write: Write, separator: str = "") -> str:
    """The parameters of `function` in their order, those left out that may be."""
    needed, rules = required(function), ["root ::= none0"]
    known = properties(function)
    for number, (name, schema) in enumerate(known.items()):
        after = number + 1
        without = ("", "") if name in needed else (f" | none{after}", f" | some{after}")
        rules += [
            f"none{number} ::= p{number}-root some{after}{without[0]}",
            f"some{number} ::= {literal(separator)} p{number}-root some{after}{without[1]}",
            renamed(write(function, name, schema), f"p{number}"),
        ]
    return "\n".join([*rules, f'none{len(known)} ::= ""', f'some{len(known)} ::= ""']) + "\n"


def after(text: str, ebnf: str, behind: str = "") -> str:
    """`ebnf` between two texts."""
    return f"root ::= {literal(text)} v-root {literal(behind)}\n{renamed(ebnf, 'v')}"


def value(function: Function, schema: Any) -> str:
    """A parameter's value, as JSON."""
    return _ANY_VALUE


def bare(function: Function, schema: Any, end: str) -> str:
    """A value with no quotes around a string, in front of `end`, which is no part of it."""
    allowed = kinds(schema, function.parameters)
    if allowed is not None and "string" not in allowed:
        return value(function, schema)
    return text(function, schema, end) or _without(end)


def text(function: Function, schema: Any, end: str) -> str | None:
    """A string as it is, in front of `end`, which is no part of it; `None` where only JSON can say what is allowed."""
    known = resolved(schema, function.parameters)
    if not is_text(schema, function.parameters) or known.keys() & {"pattern", "format"}:
        return None
    if options := known.get("enum") or ([known["const"]] if "const" in known else []):
        return "root ::= " + " | ".join(literal(option) for option in options)
    least, most = known.get("minLength"), known.get("maxLength")
    if least is None and most is None:
        return _without(end)
    return f"root ::= {anything_but(end[0])}{{{least or 0},{'' if most is None else most}}}\n"


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
        rules.append(
            f"read-{count} ::= " + " | ".join(['""', *going_on, *again, f"{anything_but(letter, *others)} read-0"])
        )
    return "\n".join(rules) + "\n"
