"""Several event streams as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any


async def merge(streams: Sequence[AsyncGenerator[Any, None]]) -> AsyncGenerator[Any, None]:
    """The events of all `streams`, as they come; every stream runs ahead of the reader by a few events at most.

    However it ends, all streams are closed when it has: at the end, when one of them raises (which is
    raised here), and when the reader leaves.
    """
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


class _End:
    """That a stream has ended, and with what error."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def check(self) -> None:
        if self._error is not None:
            raise self._error


async def _pump(stream: AsyncGenerator[Any, None], queue: asyncio.Queue[Any]) -> None:
    try:
        async with aclosing(stream):
            async for event in stream:
                await queue.put(event)
    except Exception as error:
        await queue.put(_End(error))
    else:
        await queue.put(_End())
