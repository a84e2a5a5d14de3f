"""Server-sent events, as a client reads them (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: its data as text, and the name of its event type when it has one."""

    data: str
    event: str | None = None

    def document(self) -> Any:
        """The data as JSON. Raises `ValueError`."""
        return json.loads(self.data)


def read_frames(text: str) -> list[Frame]:
    """The frames of a complete stream; comments are left out. Raises `ValueError` when it breaks off."""
    *blocks, rest = text.split("\n\n")
    if rest:
        raise ValueError(f"the stream broke off in the middle of a frame: {rest!r}")
    return [frame for block in blocks if (frame := _frame(block)) is not None]


def _frame(block: str) -> Frame | None:
    fields: dict[str, list[str]] = {}
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        fields.setdefault(name, []).append(value.removeprefix(" "))
    if "data" not in fields:
        return None
    return Frame("\n".join(fields["data"]), fields["event"][-1] if "event" in fields else None)
