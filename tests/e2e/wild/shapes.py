"""Requests for answers of a form, good and bad."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

from tests.e2e.wild.languages import BAD_GRAMMARS, BAD_REGEXES, grammar, regex
from tests.e2e.wild.request import CHAT, COMPLETIONS, RESPONSES, Wild, chat, common, response
from tests.e2e.wild.schemas import any_schema
from tests.e2e.wild.tags import structural_tag
from tests.e2e.wild.words import WORDS, broken


def schemas(chance: Random) -> Wild:
    shape, good = any_schema(chance)
    fits = _is_json if good else None
    strict = chance.choice([True, False, None])
    form = {
        "type": "json_schema",
        "json_schema": {"name": "it", "schema": shape} | ({} if strict is None else {"strict": strict}),
    }
    lot = chance.randrange(4)
    if lot == 0:
        body = {"prompt": "JSON:", **common(chance), "response_format": form}
        return Wild("schema", COMPLETIONS, {name: value for name, value in body.items() if name != "logprobs"}, fits)
    if lot == 1:
        flat = {"type": "json_schema", **form["json_schema"]}  # type: ignore[dict-item]
        return Wild("schema", RESPONSES, response(chance, text={"format": flat}), fits)
    field: dict[str, Any] = [
        {"response_format": form},
        {"guided_json": shape},
        {"structured_outputs": {"json": shape}},
    ][chance.randrange(3)]
    return Wild("schema", CHAT, chat(chance, **field), fits)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def regexes(chance: Random) -> Wild:
    good = chance.random() < 0.6
    pattern = regex(chance, 3) if good else chance.choice(BAD_REGEXES)
    fits = (lambda text: re.fullmatch(pattern, text, re.ASCII) is not None) if good else None
    field: dict[str, Any] = chance.choice([{"guided_regex": pattern}, {"structured_outputs": {"regex": pattern}}])
    return Wild("regex", CHAT, chat(chance, **field), fits)


def choices(chance: Random) -> Wild:
    options: list[Any] = chance.sample(WORDS, chance.randint(1, 5))
    if chance.random() < 0.3:
        bad: list[Any] = [
            [],
            [""],
            [1],
            [None],
            ["x" * 100_000],
            [f"option {number}" for number in range(20_000)],
            "red",
        ]
        options = chance.choice(bad)
        return Wild("choice", CHAT, chat(chance, structured_outputs={"choice": options}))
    return Wild("choice", CHAT, chat(chance, guided_choice=options), lambda text: text in options)


def grammars(chance: Random) -> Wild:
    text = grammar(chance) if chance.random() < 0.6 else chance.choice(BAD_GRAMMARS)
    field: dict[str, Any] = chance.choice([{"guided_grammar": text}, {"structured_outputs": {"grammar": text}}])
    return Wild("grammar", CHAT, chat(chance, **field))


def tags(chance: Random) -> Wild:
    tag: Any = structural_tag(chance)
    if chance.random() < 0.4:
        tag = broken(chance, tag)
    if chance.random() < 0.5:
        return Wild("tag", CHAT, chat(chance, structured_outputs={"structural_tag": json.dumps(tag)}))
    form = {"type": "structural_tag", **tag} if isinstance(tag, dict) else tag
    return Wild("tag", CHAT, chat(chance, response_format=form))
