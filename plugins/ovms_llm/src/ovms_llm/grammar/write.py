"""Grammars as XGrammar's EBNF (https://xgrammar.mlc.ai/docs/tutorials/ebnf_grammar.html)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import hexdigits
from typing import Final

from ovms_llm.grammar.characters import complement, union
from ovms_llm.grammar.nodes import Characters, Choice, Grammar, Literal, Node, Reference, Repeat, Sequence
from ovms_llm.grammar.repetition import unrolled

_SAFE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _.,:;{}()<>/=+*?|!@#$%&'~`")
_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n"}
_BEFORE_DIGIT: Final = re.compile(r"(?<=[^ -~])(?=[0-9a-fA-F])")
"""XGrammar writes a grammar inside a structural tag anew and reads it again, other characters as such escapes, and an
escape takes every hexadecimal digit behind it: so none may come behind one, neither in a text nor in a class.
"""
_NEVER: Final = "[^\\x00-\\U0010ffff]"


def ebnf(grammar: Grammar) -> str:
    """`grammar` as text, its root as ``root``; names that XGrammar does not know as such are replaced."""
    grammar = unrolled(grammar)
    names = _names(grammar)
    return "".join(f"{names[name]} ::= {_alternatives(node, names)}\n" for name, node in _root_first(grammar))


def _root_first(grammar: Grammar) -> Iterator[tuple[str, Node]]:
    yield grammar.root, grammar.rules[grammar.root]
    yield from ((name, node) for name, node in grammar.rules.items() if name != grammar.root)


def _names(grammar: Grammar) -> dict[str, str]:
    """A name for each rule: its own if it is safe, else one with a number that no rule has."""
    kept = {name: name for name in grammar.rules if name != "root" and _SAFE_NAME.fullmatch(name)}
    taken = {"root", *kept}
    names = {grammar.root: "root"}
    for at, name in enumerate(grammar.rules):
        if name not in names:
            names[name] = kept.get(name) or _unused(f"rule_{at}", taken)
    return names


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _alternatives(node: Node, names: dict[str, str]) -> str:
    """`node` where nothing binds closer than ``|``."""
    if isinstance(node, Choice):
        return " | ".join(_sequence(option, names) for option in node.options) or _NEVER
    return _sequence(node, names)


def _sequence(node: Node, names: dict[str, str]) -> str:
    if isinstance(node, Sequence):
        return " ".join(_item(item, names) for item in node.items) or '""'
    return _item(node, names)


def _item(node: Node, names: dict[str, str]) -> str:
    """`node` where it may stand in a sequence and before a quantifier."""
    match node:
        case Literal(text):
            return literal(text)
        case Characters():
            return _class(node)
        case Reference(name):
            return names[name]
        case Repeat(item, least, most):
            return _repeat(_item(item, names), least, most)
        case Sequence((item,)) | Choice((item,)):
            return _item(item, names)
    return f"({_alternatives(node, names)})"


_QUANTIFIERS: Final = {(0, None): "*", (1, None): "+", (0, 1): "?", (1, 1): ""}


def _repeat(item: str, least: int, most: int | None) -> str:
    if most == 0:
        return '""'
    quantifier = _QUANTIFIERS.get((least, most))
    if quantifier is None:
        quantifier = f"{{{least}}}" if least == most else f"{{{least},{'' if most is None else most}}}"
    return f"({item}{quantifier})"


def _class(node: Characters) -> str:
    """Always said by what is in it: one spelling for all, and never half of a surrogate pair."""
    ranges = (complement if node.negated else union)(node.ranges)
    written = ""
    for first, last in sorted(ranges, key=_starts_without_digit):
        written += _range(first, last, behind_code=_ends_with_code(written))
    return f"[{written}]" if written else _NEVER


def _starts_without_digit(range: tuple[int, int]) -> bool:
    return chr(range[0]) not in hexdigits


def _range(first: int, last: int, *, behind_code: bool) -> str:
    start = _code(first) if behind_code else _plain(first)
    return start if first == last else f"{start}-{_plain(last)}"


def _plain(code: int) -> str:
    return chr(code) if chr(code).isascii() and chr(code).isalnum() else _code(code)


def literal(text: str) -> str:
    """Exactly `text`, where it may be repeated and stand in a sequence."""
    pieces = [f'"{_text(piece)}"' for piece in _BEFORE_DIGIT.split(text)]
    return pieces[0] if len(pieces) == 1 else f"({' '.join(pieces)})"


def _text(text: str) -> str:
    written: list[str] = []
    for character in text:
        behind_code = bool(written) and _ends_with_code(written[-1])
        written.append(_escaped(character, behind_code=behind_code))
    return "".join(written)


def _escaped(character: str, *, behind_code: bool) -> str:
    if behind_code and character in hexdigits:
        return _code(ord(character))
    return character if character in _PLAIN else _SHORT.get(character) or _code(ord(character))


def _code(code: int) -> str:
    return f"\\U{code:08x}"


def _ends_with_code(written: str) -> bool:
    return written[-10:-8] == "\\U"
