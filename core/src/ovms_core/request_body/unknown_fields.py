"""Request fields that a body does not have: which are slips of the pen, and where the others stand.

Clients send fields of other servers (``keep_alive``, ``cache_control``). They do no harm, and the answer says that they
had no effect. But one that is nearly a known field was meant to have one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from itertools import islice
from typing import Any, Final, get_args

from pydantic import AliasChoices, BaseModel

from ovms_core.diagnostics.field_errors import Path, clipped

_EXAMINED: Final = 64
"""Unknown fields of one object that are looked at closely: there may be millions."""
_SHORTEST, _LONG, _LONGEST = 4, 6, 40
_FIELDS_OF_PEERS: Final = frozenset({"models"})  # OpenRouter's list of models to fall back to
"""Names that other servers have, however much they look like one of ours."""


@cache
def names_of(model: type[BaseModel]) -> frozenset[str]:
    """The names by which `model` knows its fields, aliases included."""
    return frozenset(_names(model))


def _names(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        alias = field.validation_alias
        for choice in alias.choices if isinstance(alias, AliasChoices) else [alias]:
            if isinstance(choice, str):
                yield choice


def find_slip(given: Mapping[str, Any], model: type[BaseModel]) -> tuple[str, str] | None:
    """The first name in `given` that misses a field of `model` by a slip (``max_token``), and that field."""
    unknown = (name for name in given if name not in names_of(model))
    for name in islice(unknown, _EXAMINED):
        if (meant := _meant(name, model)) is not None:
            return name, meant
    return None


def _meant(name: str, model: type[BaseModel]) -> str | None:
    plain = _plain(name[: _LONGEST + 1])
    if name in _FIELDS_OF_PEERS or not _SHORTEST <= len(plain) <= _LONGEST:
        return None
    whole, misspelt = _spellings(model)
    if plain in misspelt:  # a letter is missing
        return misspelt[plain]
    shorter = _without_a_letter(plain)
    meant = next((whole[each] for each in shorter if each in whole), whole.get(plain))  # there is one too many
    if meant is None and len(plain) >= _LONG:  # letters are wrong, or swapped
        meant = next((misspelt[each] for each in shorter if each in misspelt), None)
    return meant


@cache
def _spellings(model: type[BaseModel]) -> tuple[dict[str, str], dict[str, str]]:
    """The names of `model` by how they are spelt, and by how they are misspelt: without a letter, or two."""
    whole = {_plain(name): name for name in sorted(names_of(model)) if len(name) >= _SHORTEST}
    misspelt = {short: name for plain, name in whole.items() for short in _without_a_letter(plain)}
    long = {short: name for short, name in misspelt.items() if len(short) > _LONG}
    shorter = {each: name for short, name in long.items() for each in _without_a_letter(short)}
    return whole, shorter | misspelt


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")


def _without_a_letter(name: str) -> list[str]:
    return [name[:at] + name[at + 1 :] for at in range(len(name))]


def suggestion(name: str, model: type[BaseModel]) -> str:
    """The sentence that names the field of `model` that is nearest to `name`; empty when none is near."""
    close = get_close_matches(clipped(name), sorted(names_of(model)), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def take_unknown(model: BaseModel, at: Path = ()) -> Iterator[Path]:
    """The path of every field in `model`, at any depth, that its class does not know; they are taken out of it."""
    if unknown := model.__pydantic_extra__:
        yield from [(*at, name) for name in unknown]
        model.__pydantic_fields_set__.difference_update(unknown)
        unknown.clear()
    for name in _nesting(type(model)):
        yield from _take_within(getattr(model, name), (*at, name))


def _take_within(value: Any, at: Path) -> Iterator[Path]:
    if isinstance(value, BaseModel):
        yield from take_unknown(value, at)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _take_within(item, (*at, index))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _take_within(item, (*at, name))


@cache
def _nesting(model: type[BaseModel]) -> tuple[str, ...]:
    """The fields of `model` that can hold other models: others, such as a million token ids, are not gone through."""
    return tuple(name for name, field in model.model_fields.items() if _holds_model(field.annotation))


def _holds_model(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return any(_holds_model(part) for part in get_args(annotation))
