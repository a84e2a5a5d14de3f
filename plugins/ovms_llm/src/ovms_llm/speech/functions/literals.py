"""Values as models write them outside JSON, and as JSON."""

from __future__ import annotations

import json
import math
import re

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{1,3}|[\s\S])")
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "\n": ""}
_KEPT = frozenset("\\'\"/")
_CONSTANTS = {"True": "true", "true": "true", "False": "false", "false": "false", "None": "null", "null": "null"}


class Broken(Exception):
    """The text is not what its format asks for, or ended before its time."""


def written(value: object) -> str:
    """`value` as JSON text."""
    return json.dumps(value, ensure_ascii=False)


def constant(word: str) -> str:
    """A number, a truth value or nothing, written as in JSON or as in Python, as JSON text."""
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    return word if _NUMBER.fullmatch(word) else _python_number(word)


def _python_number(word: str) -> str:
    try:
        number = float(word)
    except ValueError:
        raise Broken from None
    if not math.isfinite(number):
        raise Broken
    return written(int(word) if word.lstrip("+-").isdecimal() else number)


def unescaped(text: str) -> str:
    """`text` from between quotes, with escapes as in JSON or as in Python. One that neither knows stays as it is."""
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(_character, text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _character(found: re.Match[str]) -> str:
    code = found[1]
    if len(code) > 1 and code[0] in "xuU":
        return _code_point(int(code[1:], 16))
    if code[0] in "01234567":
        return _code_point(int(code, 8))
    return code if code in _KEPT else _PLAIN.get(code, found[0])


def _code_point(number: int) -> str:
    if number > 0x10FFFF:
        raise Broken
    return chr(number)
