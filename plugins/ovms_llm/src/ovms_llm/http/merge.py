"""Several event streams as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any


async def merge(streams: Sequence[AsyncGenerator[Any, None]]) -> AsyncGenerator[Any, None]:
    """The events of all `streams`, as they come; every stream runs ahead of the reader by a few events at most.

    However it ends, all streams are closed when it has: at the end, when one of them raises (which is
    raised here), when the reader leaves, and when its task is cancelled.
    """
    # No TaskGroup: one whose task raises cancels the reader wherever that is, and one that is closed raises a group.
    queue: asyncio.Queue[Any] = asyncio.Queue(maxsize=len(streams))
    pumps = [asyncio.create_task(_pump(stream, queue)) for stream in streams]
    running = len(pumps)
    try:
        while running:
            item = await queue.get()
            if isinstance(item, _End):
                running -= 1
                item.check()
            else:
                yield item
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class _End:
    """That a stream has ended, and with what error."""

    error: BaseException | None

    def check(self) -> None:
        if self.error is not None:
            raise self.error


async def _pump(stream: AsyncGenerator[Any, None], queue: asyncio.Queue[Any]) -> None:
    error = None
    try:
        async with aclosing(stream):
            async for event in stream:
                await queue.put(event)
    except BaseException as raised:
        if _is_being_cancelled():  # nobody reads any more
            raise
        error = raised  # perhaps a CancelledError: a stream may lose a task of its own
    await queue.put(_End(error))


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
