"""Reads a stream of image events, and the comments in it that tell the progress."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any, Final

from ovms_core.command import Client, Frame

_PROGRESS: Final = re.compile(r"progress image=(\d+) step=(\d+) total=(\d+)")


def events(url: str, body: dict[str, Any], api_key: str | None) -> Iterator[dict[str, Any]]:
    """The events of ``POST /images/generations``; progress as ``{"type": "progress", "index", "step", "total"}``.

    Raises `ServerError`.
    """
    with closing(Client(url, api_key).frames("/images/generations", body)) as frames:
        yield from parse(frames)


def parse(frames: Iterable[Frame]) -> Iterator[dict[str, Any]]:
    """The events in the frames of a stream."""
    for frame in frames:
        for match in filter(None, map(_PROGRESS.fullmatch, frame.comments)):
            index, step, total = map(int, match.groups())
            yield {"type": "progress", "index": index, "step": step, "total": total}
        if frame.data:
            yield frame.document()
