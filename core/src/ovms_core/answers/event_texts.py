"""Where an event has its texts, for whoever must see every one of them.

`layout_of` says it of a class, once; `texts_in` goes through one event.
"""

from __future__ import annotations

import dataclasses
import re
from array import array
from codecs import getincrementaldecoder
from collections.abc import Callable, Generator, Hashable, Iterable
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
from pydantic import BaseModel

_BYTES = (bytes, bytearray, memoryview)
_NO_TEXT = (*_BYTES, NoneType, int, float, complex, array, Enum, Decimal, date, time, timedelta, UUID)
_EXTRA = "model_extra"
"""Where a pydantic model has the members that its class does not name."""
_INDEX = re.compile(r"\[\d+\]")


class Stream(NamedTuple):
    """A text that comes in pieces, of one choice; `inside` if the pieces are objects inside of events."""

    choice: Hashable
    name: tuple[Hashable, ...]
    inside: bool = False


class Found(NamedTuple):
    """A text at `path` in an event: a stretch of `stream`, or without one a text of its own."""

    path: str
    text: str
    stream: Stream | None = None

    @property
    def member(self) -> str:
        """`path` without the numbers of items: the same for all stretches of a stream."""
        return _INDEX.sub("", self.path) if "[" in self.path else self.path


Walk = Generator[Found, str, Any]
"""Yields what is found, is sent what to put in its place, and returns the event with that, a copy where it changed."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The members of a class of events.

    `text` is a stretch of the stream that the members `streams` name, `others` are those that may hold
    texts of their own. `pieces` says that objects of the class are pieces of a text wherever they are.
    """

    text: str | None
    streams: tuple[str, ...]
    others: tuple[str, ...]
    pieces: bool
    has_choice: bool
    has_end: bool


def _layout_of(cls: type) -> Layout | None:
    """Where objects of `cls` have their texts; `None` if their class does not tell."""
    names = _fields(cls)
    if names is None:
        return None
    no_text: tuple[str, ...] = getattr(cls, "no_text", ())
    text: str | None = getattr(cls, "text_member", "text")
    if text is None or text not in names or text in no_text:
        text = None
    hints = types_of_members(cls)
    streams = tuple(getattr(cls, "stream_members", ()))
    known = {"index", "finish_reason", text, *streams, *no_text}
    others = tuple(name for name in names if name not in known and may_hold_text(hints.get(name, Any)))
    pieces = hasattr(cls, "text_member")
    return Layout(text, streams, others, pieces, "index" in names, "finish_reason" in names)


layout_of: Callable[[type], Layout | None] = lru_cache(maxsize=1024)(_layout_of)


def _fields(cls: type) -> Iterable[str] | None:
    if issubclass(cls, msgspec.Struct):
        return cls.__struct_fields__
    if issubclass(cls, BaseModel):
        return [*cls.model_fields, _EXTRA] if cls.model_config.get("extra") == "allow" else cls.model_fields
    if dataclasses.is_dataclass(cls):
        return [field.name for field in dataclasses.fields(cls)]
    return None


def types_of_members(thing: Any) -> dict[str, Any]:
    """The types of a class's members; none where a name in them cannot be resolved: then their values tell."""
    try:
        return get_type_hints(thing)
    except (NameError, TypeError, AttributeError):
        return {}


def may_hold_text(hint: Any) -> bool:
    """Whether a value of this type can hold a text: `Literal`, enums, numbers and bytes cannot."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return False
    if origin is Annotated:
        return may_hold_text(arguments[0])
    if arguments:
        return any(may_hold_text(argument) for argument in arguments if argument is not Ellipsis)
    return not (isinstance(hint, type) and issubclass(hint, _NO_TEXT)) and hint is not None


def with_text(event: Any, member: str, text: str) -> Any:
    """`event` with another `text`; a class with more to change then says how, in a method `with_text`."""
    own: Callable[[str], Any] | None = getattr(event, "with_text", None)
    return own(text) if own is not None else _replaced(event, {member: text})


def _replaced(event: Any, changes: dict[str, Any]) -> Any:
    if isinstance(event, msgspec.Struct):
        return msgspec.structs.replace(event, **changes)
    if isinstance(event, BaseModel):
        extra = changes.pop(_EXTRA, event.model_extra)
        copy = event.model_copy(update=changes)
        object.__setattr__(copy, "__pydantic_extra__", extra)
        return copy
    return dataclasses.replace(event, **changes)


def texts_in(event: Any) -> Walk:
    """Every text of `event`, in order. Raises `TypeError` for what it cannot look into.

    What no class describes may be either: a string, bytes that are one, and the ``text`` of a dictionary, are found
    twice, first as a text of its own and then as a stretch of a stream.
    """
    layout = layout_of(type(event))
    if layout is not None:
        return (yield from _object(event, layout, "", choice_of(event)))
    if isinstance(event, _BYTES):
        return (yield from _bytes(bytes(event)))
    event = yield from _value(event, "")
    if isinstance(event, str) and not isinstance(event, Enum):
        return (yield Found("", event, Stream(None, ())))
    if isinstance(event, dict) and isinstance(text := event.get("text"), str):
        new = yield Found("text", text, Stream(choice_of(event), ("text",)))
        return event if new == text else event | {"text": new}
    return event


def _bytes(event: bytes) -> Walk:
    """Bytes are a text, such as some lines of CSV, if they are UTF-8: others are pictures, sounds and the like."""
    if not _is_utf8(event):
        return event
    text = event.decode("utf-8", "surrogateescape")
    new = yield Found("", text)
    new = yield Found("", new, Stream(None, (bytes,)))
    return event if new == text else new.encode("utf-8", "surrogateescape")


def _is_utf8(data: bytes) -> bool:
    """Whether `data` is from a text in UTF-8; characters may be cut at both ends."""
    start = next((at for at, byte in enumerate(data[:3]) if byte & 0xC0 != 0x80), 0)
    try:
        getincrementaldecoder("utf-8")().decode(data[start:])
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def only_stretch(event: Any) -> Found | None:
    """The one text of an event that has no other, a stretch of a stream, as most have it; `None` for all others."""
    layout = layout_of(type(event))
    if layout is None or layout.text is None:
        return None
    for name in layout.others:
        if getattr(event, name) is not None:
            return None
    text = getattr(event, layout.text)
    return Found(layout.text, text, _stream(event, layout, choice_of(event))) if isinstance(text, str) else None


def _stream(event: Any, layout: Layout, choice: Hashable, *, inside: bool = False) -> Stream:
    names = [getattr(event, member, None) for member in layout.streams]
    kind: Any = type(event) if inside else None
    return Stream(choice, (kind, layout.text, *names), inside)


def choice_of(event: Any) -> Hashable:
    """Which of several answers `event` belongs to; `None` where there is one only."""
    layout = layout_of(type(event))
    if layout is not None:
        return event.index if layout.has_choice else None
    choice = event.get("index") if isinstance(event, dict) else None
    return choice if isinstance(choice, int | str) else None


def is_last(event: Any) -> bool:
    """Whether the choice of `event` ends with it."""
    layout = layout_of(type(event))
    if layout is not None:
        return layout.has_end and event.finish_reason is not None
    return isinstance(event, dict) and event.get("finish_reason") is not None


def _object(event: Any, layout: Layout, path: str, choice: Hashable, *, nested: bool = False) -> Walk:
    start = f"{path}." if path else ""
    changes: dict[str, Any] = {}
    for name in layout.others:
        value = getattr(event, name)
        if value is not None and (new := (yield from _value(value, start + name, choice, type(event)))) is not value:
            changes[name] = new
    changed = _replaced(event, changes) if changes else event
    if layout.text is None:
        return changed
    text = getattr(event, layout.text)
    if not isinstance(text, str):
        new = yield from _value(text, start + layout.text, choice, type(event))
        return changed if new is text else _replaced(changed, {layout.text: new})
    if nested and not layout.pieces:
        new = (yield Found(start + layout.text, text)) if text else text
    else:
        new = yield Found(start + layout.text, text, _stream(event, layout, choice, inside=nested))
    return changed if new == text else with_text(changed, layout.text, new)


def _value(value: Any, path: str, choice: Hashable = None, holder: type | None = None) -> Walk:
    if isinstance(value, _NO_TEXT):
        return value
    if isinstance(value, str):
        new = (yield Found(path, value)) if value else value
        return value if new == value else new
    if isinstance(value, dict):
        return (yield from _dict(value, path, choice, holder))
    if isinstance(value, list | tuple | set | frozenset):
        return (yield from _items(value, path, choice, holder))
    layout = layout_of(type(value))
    if layout is None:
        raise _unseen(value, f"'{path}'" if path else "an event", holder)
    return (yield from _object(value, layout, path, choice, nested=True))


def _dict(value: dict[Any, Any], path: str, choice: Hashable, holder: type | None) -> Walk:
    start = f"{path}." if path else ""
    new: dict[Any, Any] = {}
    for key, item in value.items():
        name = yield from _value(key, f"{start}{key}", choice, holder)
        new[name] = yield from _value(item, f"{start}{key}", choice, holder)
    same = len(new) == len(value) and all(a is b for a, b in zip(new, value, strict=True))
    return value if same and all(new[key] is value[key] for key in value) else new


def _items(value: Any, path: str, choice: Hashable, holder: type | None) -> Walk:
    new: list[Any] = []
    for at, item in enumerate(value):
        new.append((yield from _value(item, f"{path}[{at}]", choice, holder)))
    if all(a is b for a, b in zip(new, value, strict=True)):
        return value
    make: Callable[[list[Any]], Any] = getattr(type(value), "_make", type(value))
    return make(new)


def _unseen(value: Any, where: str, holder: type | None = None) -> TypeError:
    cls = type(value)
    named = f", or name the member in {holder.__name__}.no_text if it holds no text" if holder is not None else ""
    return TypeError(
        f"windowed cannot look for texts in {where} of type {cls.__module__}.{cls.__qualname__}. Give events that are "
        "subclasses of ovms_core.plugin.Event, dataclasses or pydantic models, or made of strings, numbers, lists and "
        f"dictionaries{named}."
    )
