"""Who holds the event loop right now, read off its thread's stack."""

from __future__ import annotations

import asyncio
import asyncio.base_events
import asyncio.events
import asyncio.runners
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from ovms_core.diagnostics.attribution import plugin_at_work
from ovms_core.diagnostics.tracebacks import running_place

_LOOP = (asyncio.base_events.__file__, asyncio.events.__file__, asyncio.runners.__file__)


@dataclass(frozen=True, slots=True)
class Holder:
    """A task or callback that runs, as `task` says which.

    `plugin`, `method` and `endpoint` (its path), and `place` (the author's line) are empty as far as they are unknown.
    """

    task: object
    plugin: str = ""
    method: str = ""
    endpoint: str = ""
    place: str = ""

    def __str__(self) -> str:
        plugin = f"plugin '{self.plugin}'" if self.plugin else ""
        who = ", ".join(part for part in (plugin, f"{self.method} {self.endpoint}".strip()) if part)
        return f"{who or self._task_name()}{f' at {self.place}' if self.place else ''}"

    def _task_name(self) -> str:
        return f"the task '{self.task.get_name()}'" if isinstance(self.task, asyncio.Task) else "a callback"


def holder_of(thread: int, loop: asyncio.AbstractEventLoop) -> Holder | None:
    """What `loop` runs, in the thread with this ident; `None` while it waits for something to happen."""
    frames = list(_above_the_loop(sys._current_frames().get(thread)))
    if not frames or frames[0].f_globals.get("__name__") == "selectors":
        return None
    plugin, route = plugin_at_work(frames), _route(frames)
    return Holder(
        task=asyncio.current_task(loop) or frames[-1].f_code,
        plugin="" if plugin in (None, "core") else str(plugin),
        method=route.method if route else "",
        endpoint=(route.endpoint or route.path) if route else "",
        place=running_place(frames) or "",
    )


def _above_the_loop(frame: FrameType | None) -> Iterator[FrameType]:
    """The frames of what the loop runs, innermost first, without the loop's own."""
    while frame is not None and frame.f_code.co_filename not in _LOOP:
        yield frame
        frame = frame.f_back


def _route(frames: Sequence[FrameType]) -> Any:
    """The route of the request that the `frames` serve, if they do."""
    for frame in frames:
        if "scope" in frame.f_code.co_varnames:
            scope = frame.f_locals.get("scope")
            if isinstance(scope, dict) and "ovms.route" in scope:
                return scope["ovms.route"]
    return None
