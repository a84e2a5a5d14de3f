"""Server-sent events, as a client reads them (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

DONE: Final = "[DONE]"
"""The data with which OpenAI's streams end."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: its data as text, empty in one of comments alone, and the name of its event type when it has one."""

    data: str
    event: str | None = None
    comments: tuple[str, ...] = ()

    def document(self) -> Any:
        """The data as JSON. Raises `ValueError`."""
        return json.loads(self.data)


def parse_frames(lines: Iterable[bytes]) -> Iterator[Frame]:
    """The frames in `lines`, each as soon as it is complete. Raises `ValueError` for what is not UTF-8."""
    block: list[str] = []
    for line in lines:
        if bare := line.rstrip(b"\r\n"):
            block.append(bare.decode())
        elif block:
            yield _frame(block)
            block = []


def read_frames(text: str) -> list[Frame]:
    """The frames of a complete stream; comments are left out. Raises `ValueError` when it breaks off."""
    if text and not text.endswith("\n\n"):
        raise ValueError(f"the stream broke off in the middle of a frame: {text.rpartition(chr(10) * 2)[2]!r}")
    return [frame for frame in parse_frames(text.encode().split(b"\n")) if frame.data]


def _frame(block: Iterable[str]) -> Frame:
    fields: dict[str, list[str]] = {}
    for line in block:
        name, _, value = line.partition(":")
        fields.setdefault(name, []).append(value.removeprefix(" "))
    return Frame("\n".join(fields.get("data", ())), fields.get("event", [None])[-1], tuple(fields.get("", ())))
