"""Which plugin's code is at work, read off the stack: of an error, or of a thread that runs.

The core marks each step into a plugin's code: the function that takes it has a local variable `_plugin_at_work`, the
plugin's name. So it costs nothing to know until somebody asks.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from types import FrameType
from typing import Generic, TypeVar

T = TypeVar("T")

_MARK = "_plugin_at_work"


@dataclass(frozen=True, slots=True)
class Owned(Generic[T]):
    """Something of the plugin `owner`."""

    owner: str
    it: T


def plugin_at_work(frames: Iterable[FrameType]) -> str | None:
    """The name of the plugin whose code the `frames`, innermost first, are in; `None` if they are in no plugin's."""
    for frame in frames:
        if _MARK in frame.f_code.co_varnames:
            owner: str | None = frame.f_locals.get(_MARK)
            return owner
    return None


def plugin_that_raised(error: BaseException) -> str | None:
    """The name of the plugin whose code raised `error`."""
    return plugin_at_work(reversed([frame for frame, _ in traceback.walk_tb(error.__traceback__)]))
