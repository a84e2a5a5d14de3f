"""Structural tags."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.e2e.wild.languages import grammar, regex
from tests.e2e.wild.schemas import schema
from tests.e2e.wild.words import WORDS


def structural_tag(chance: Random) -> dict[str, Any]:
    """A structural tag of either generation."""
    begin = f"<{chance.choice(['a', 'call', 'x y'])}>"
    if chance.random() < 0.3:
        return {"structures": [{"begin": begin, "schema": schema(chance), "end": "</>"}], "triggers": [begin[:2]]}
    return {"format": _format(chance, 2, begin)}


def _format(chance: Random, depth: int, begin: str) -> dict[str, Any]:
    leaves: list[dict[str, Any]] = [
        {"type": "const_string", "value": chance.choice(WORDS)},
        {"type": "json_schema", "json_schema": schema(chance, 1)},
        {"type": "regex", "pattern": regex(chance)},
        {"type": "grammar", "grammar": grammar(chance)},
        {"type": "any_text"},
    ]
    if depth == 0:
        return chance.choice(leaves)
    inner = [_format(chance, depth - 1, begin) for _ in range(chance.randint(1, 3))]
    tag = {"type": "tag", "begin": begin, "content": inner[0], "end": "</>"}
    branches: list[dict[str, Any]] = [
        {"type": "sequence", "elements": inner},
        {"type": "or", "elements": inner},
        tag,
        {"type": "triggered_tags", "triggers": [begin], "tags": [tag], "at_least_one": chance.random() < 0.5},
        {
            "type": "tags_with_separator",
            "tags": [tag],
            "separator": ",",
            "at_least_one": True,
            "stop_after_first": True,
        },
    ]
    return chance.choice(branches + leaves)
