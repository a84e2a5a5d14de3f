"""Formats of structural tags (https://xgrammar.mlc.ai/docs/tutorials/structural_tag.html), put together from parts.

A format is a JSON object. These are the kinds that the engine's XGrammar knows; what is to be enforced exactly is a
grammar in it, and texts stand around.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Format = dict[str, Any]


def text(value: str) -> Format:
    """Exactly `value`."""
    return {"type": "const_string", "value": value}


def grammar(ebnf: str) -> Format:
    """What the rule ``root`` of `ebnf` makes."""
    return {"type": "grammar", "grammar": ebnf}


def any_text() -> Format:
    """Whatever; inside a tag up to the tag's end."""
    return {"type": "any_text"}


def sequence(*elements: Format) -> Format:
    """One behind the other."""
    return {"type": "sequence", "elements": list(elements)}


def either(*elements: Format) -> Format:
    """One of them."""
    return {"type": "or", "elements": list(elements)}


def tag(begin: str, content: Format, end: str) -> Format:
    """`content` between two texts."""
    return {"type": "tag", "begin": begin, "content": content, "end": end}


def triggered(triggers: Sequence[str], tags: Sequence[Format], *, once: bool = False) -> Format:
    """Any text, in which each of `triggers` must go on as one of `tags`; with `once` the end comes behind the first.

    The beginning of every tag begins with one of the triggers.
    """
    return {
        "type": "triggered_tags",
        "triggers": list(triggers),
        "tags": list(tags),
        "at_least_one": False,
        "stop_after_first": once,
    }
