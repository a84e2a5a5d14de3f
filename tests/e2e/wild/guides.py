"""Requests with schemas, regular expressions, grammars, tags, tools and histories made at random, good and bad."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from tests.e2e.wild.request import Wild
from tests.e2e.wild.shapes import choices, grammars, regexes, schemas, tags
from tests.e2e.wild.talk import histories, tools

_KINDS = (schemas, schemas, schemas, regexes, choices, grammars, tags, tools, tools, histories)


def wild(seed: int, count: int) -> Iterator[Wild]:
    """`count` requests, the same for the same `seed`."""
    for number in range(count):
        chance = Random(f"{seed} {number}")
        yield chance.choice(_KINDS)(chance)
