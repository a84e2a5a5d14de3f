"""A request at random, and what most have in common."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

CHAT, COMPLETIONS, RESPONSES = "/chat/completions", "/completions", "/responses"


@dataclass(frozen=True, slots=True)
class Wild:
    """A request. `fits` tells whether the text of a whole answer is what was asked for."""

    kind: str
    path: str
    body: dict[str, Any]
    fits: Callable[[str], bool] | None = None

    def __str__(self) -> str:
        return f"{self.kind}: POST {self.path} {json.dumps(self.body)[:1500]}"


def chat(chance: Random, **fields: Any) -> dict[str, Any]:
    return (
        {"messages": [{"role": "user", "content": chance.choice(["Go.", "As JSON.", "漢字?"])}]}
        | common(chance)
        | fields
    )


def common(chance: Random) -> dict[str, Any]:
    tokens = chance.choice([1, 4, 8, 8, 8, 24])
    extra: list[dict[str, Any]] = [{}, {}, {}, {}, {"n": 2}, {"stop": ["a", "}"]}, {"seed": 7}, {"logprobs": True}]
    return {"model": "smollm2", "max_tokens": tokens, "temperature": chance.choice([0, 1, 1.8])} | chance.choice(extra)


def response(chance: Random, **fields: Any) -> dict[str, Any]:
    common = {"model": "smollm2", "input": "Go.", "max_output_tokens": 16, "temperature": chance.choice([0, 1])}
    return common | {"store": chance.choice([True, False])} | fields
