"""Grammars of calls: what stands around the arguments, put together with the grammars of the arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from ovms_llm.grammar import formats
from ovms_llm.grammar.formats import Format
from ovms_llm.speech.tools import Function

MOST_CALLS: Final = 16
"""In one answer that consists of calls: a weak model would go on to the limit of tokens."""

_NAMES: Final = re.compile(
    r"""("(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|TagDispatch|stop_str|stop_eos|loop_after_dispatch|\b(?:true|false)\b)"""
    r"""|(?<![\w.-])([A-Za-z_][\w.-]*)"""
)

_ANY_OBJECT: Final = r"""root ::= object
object ::= "{" (member (", " member)*)? "}"
member ::= string ": " value
array ::= "[" (value (", " value)*)? "]"
value ::= object | array | string | number | "true" | "false" | "null"
string ::= "\"" ([^"\\\x00-\x1f] | "\\" ["\\/bfnrt] | "\\u" [0-9a-fA-F]{4})* "\""
number ::= "-"? ("0" | [1-9] [0-9]{0,15}) ("." [0-9]{1,16})? ([eE] [+-]? [0-9]{1,3})?
"""


class Frame(NamedTuple):
    """A call: the grammar `body`, as EBNF with the rule ``root``, between two texts."""

    begin: str
    body: str
    end: str


def arguments_format(function: Function) -> Format:
    """The format of the arguments of `function`."""
    return formats.grammar(_ANY_OBJECT)


def arguments_ebnf(function: Function) -> str:
    """The arguments of `function` as EBNF with the rule ``root``."""
    return str(arguments_format(function)["grammar"])


def calls(frames: Sequence[Frame], *, many: bool, opening: str = "", separator: str = "", closing: str = "") -> Format:
    """One call out of `frames`, or `many` with `separator` between them, between `opening` and `closing`.

    The arguments' grammars are written once, however many calls may come: compiling takes as long as the text is.
    """
    more = f" ({literal(separator)} call){{0,{MOST_CALLS - 1}}}" if many else ""
    rules = [
        f"root ::= {literal(opening)} call{more} {literal(closing)}",
        "call ::= " + " | ".join(f"call{number}" for number in range(len(frames))),
    ]
    for number, frame in enumerate(frames):
        name = f"call{number}"
        rules += [f"{name} ::= {literal(frame.begin)} {name}-root {literal(frame.end)}", renamed(frame.body, name)]
    return formats.grammar("\n".join(rules) + "\n")


def literal(text: str) -> str:
    """`text` as a literal of EBNF."""
    return json.dumps(text, ensure_ascii=False)


def renamed(ebnf: str, prefix: str) -> str:
    """`ebnf` with `prefix` before the names of its rules, so that several can stand in one grammar."""
    return _NAMES.sub(lambda found: found[1] or f"{prefix}-{found[2]}", ebnf)
