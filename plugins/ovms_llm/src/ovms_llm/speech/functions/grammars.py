"""Grammars of calls: what stands around the arguments, put together with the grammars of the arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from ovms_llm.grammar import formats
from ovms_llm.grammar.common import common_names
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.formats import Format
from ovms_llm.grammar.json_schema import translate
from ovms_llm.grammar.limits import Limits
from ovms_llm.grammar.recall import Recall
from ovms_llm.grammar.write import ebnf, literal
from ovms_llm.speech.functions.tools import Function

MOST_CALLS: Final = 16
"""In one answer that consists of calls: a weak model would go on to the limit of tokens."""

_NAMES: Final = re.compile(
    r"""("(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|TagDispatch|stop_str|stop_eos|loop_after_dispatch|\b(?:true|false)\b)"""
    r"""|(?<![\w.-])([A-Za-z_][\w.-]*)"""
)

_CHECKED: Final = Limits(characters=1 << 30, depth=200, size=1 << 30)
"""The operator's limits are kept by who lets functions in: here they only have to be written."""

_recall: Final = Recall[str](16 << 20)


class Frame(NamedTuple):
    """A call: the grammar `body`, as EBNF with the rule ``root``, between two texts."""

    begin: str
    body: str
    end: str


class Opening(NamedTuple):
    """What begins calls in free text: behind `trigger` stand `rest`, calls, and `closing`.

    Where the trigger holds the beginning of a call already, `call` is the number of that call's frame.
    """

    trigger: str
    rest: str = ""
    closing: str = ""
    call: int | None = None


def arguments_ebnf(function: Function) -> str:
    """The arguments of `function` as EBNF with the rule ``root``.

    A function that says that it has no parameters gets none. Raises `GrammarError` for a strict function whose schema
    cannot be enforced; the arguments of others are any object then.
    """
    schema = function.parameters
    if schema.get("properties") == {}:
        schema = {"additionalProperties": False} | schema
    try:
        return json_ebnf(schema, function.strict)
    except GrammarError:
        if function.strict:
            raise
        return json_ebnf({"type": "object"}, False)


def json_ebnf(schema: Any, strict: bool) -> str:
    """The JSON that fits `schema` as EBNF with the rule ``root``. Raises `GrammarError`."""
    return _recall.get((schema, strict), lambda: ebnf(translate(schema, limits=_CHECKED, strict=strict).grammar))


def calls(frames: Sequence[Frame], *, many: bool, opening: str = "", separator: str = "", closing: str = "") -> Format:
    """One call out of `frames`, or `many` with `separator` between them, between `opening` and `closing`.

    The arguments' grammars are written once, however many calls may come: compiling takes as long as the text is.
    """
    root = f"root ::= {literal(opening)} call more {literal(closing)}"
    return _format([root, *_rules(frames, many, separator)])


def answer(
    frames: Sequence[Frame], openings: Sequence[Opening], *, many: bool, inside: bool = False, separator: str = ""
) -> Format:
    """Any text, in which each of `openings` begins a call out of `frames`.

    Where `many` calls may be made, they stand `inside` one opening, or text goes on and may open others.
    """
    tags = [f"({_trigger(opening.trigger)}, behind{number})" for number, opening in enumerate(openings)]
    loop = "true" if many and not inside else "false"
    behind = [f"behind{number} ::= {_behind(opening, frames)}" for number, opening in enumerate(openings)]
    dispatch = f"root ::= TagDispatch({', '.join(tags)}, loop_after_dispatch={loop})"
    return _format([dispatch, *behind, *_rules(frames, many and inside, separator)])


def _trigger(text: str) -> str:
    """`text` as a trigger of TagDispatch, which takes nothing but one string."""
    return json.dumps(text, ensure_ascii=False)


def _behind(opening: Opening, frames: Sequence[Frame]) -> str:
    number = opening.call
    call = "call" if number is None else f"{_bodies(frames)[frames[number].body]}-root {literal(frames[number].end)}"
    return f"{literal(opening.rest)} {call} more {literal(opening.closing)}"


def _rules(frames: Sequence[Frame], many: bool, separator: str) -> Iterator[str]:
    yield f"more ::= ({literal(separator)} call){{0,{MOST_CALLS - 1}}}" if many else 'more ::= ""'
    yield "call ::= " + " | ".join(f"call{number}" for number in range(len(frames)))
    bodies = _bodies(frames)
    for number, frame in enumerate(frames):
        yield f"call{number} ::= {literal(frame.begin)} {bodies[frame.body]}-root {literal(frame.end)}"
    for body, name in bodies.items():
        yield renamed(body, name)


def _bodies(frames: Sequence[Frame]) -> dict[str, str]:
    """The different bodies and their names: what many functions share is written once, or compiling takes minutes."""
    return {body: f"body{number}" for number, body in enumerate(dict.fromkeys(frame.body for frame in frames))}


def _format(texts: Sequence[str]) -> Format:
    """The grammar of all `texts`; a rule that several of them have stands there once."""
    rules = dict.fromkeys(rule for text in texts for rule in text.splitlines())
    return formats.grammar("\n".join(rules) + "\n")


def anything_but(*letters: str) -> str:
    """The EBNF of one character that is none of `letters`."""
    codes = "".join(f"\\x{ord(letter):02x}" for letter in letters)
    return f"[^{codes}]"


def renamed(rules: str, prefix: str) -> str:
    """`rules` of EBNF with `prefix` before their names, so that several can stand in one grammar.

    The common ones keep their names: they say the same in all of them.
    """
    kept = common_names(rules.splitlines())
    return _NAMES.sub(lambda found: found[1] or (found[2] if found[2] in kept else f"{prefix}-{found[2]}"), rules)
