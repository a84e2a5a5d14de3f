"""An executor within its interceptors; each of these layers lets the event loop have its turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from functools import reduce
from time import perf_counter
from typing import Any, Final

from ovms_core.calls.endpoint import Call, Executor, Interceptor, Proceed
from ovms_core.diagnostics.attribution import Owned

_TURN: Final = 0.005
"""Seconds of work after which other requests have their turn."""


class Rounds:
    """Counts the rounds of the event loop, as far as somebody wants to know.

    One callback a round is all that it costs, however many calls there are.
    """

    __slots__ = ("count", "watched")

    def __init__(self) -> None:
        self.count = 0
        self.watched = False

    def watch(self) -> None:
        """Notice when this round is over; it must not be `watched` yet."""
        self.watched = True
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        self.watched = False
        self.count += 1


class Stint:
    """How long an iteration has gone on without that the event loop had its turn."""

    __slots__ = ("_ends", "_round", "_rounds")

    def __init__(self, rounds: Rounds) -> None:
        self._rounds = rounds
        self._round = -1
        self._ends = 0.0

    def is_long(self) -> bool:
        """Whether it is time to give way: ask after each item. Items that are awaited for real never make it long."""
        rounds = self._rounds
        if not rounds.watched:
            rounds.watch()
        if self._round != rounds.count:
            self._begin()
        return perf_counter() > self._ends

    async def give_way(self) -> None:
        """Let the event loop have its turn."""
        await asyncio.sleep(0)
        self._begin()

    def _begin(self) -> None:
        self._round, self._ends = self._rounds.count, perf_counter() + _TURN


def wrap(executor: Owned[Executor], interceptors: Sequence[Owned[Interceptor]], rounds: Rounds) -> Proceed:
    """`executor` inside all `interceptors`, the first outermost.

    No layer can hold the event loop by giving events that are ready, not even one whose events the next one drops.
    """

    def around(inner: Proceed, interceptor: Owned[Interceptor]) -> Proceed:
        return _layer(interceptor.owner, lambda call: interceptor.it(call, inner), rounds)

    return reduce(around, reversed(interceptors), _layer(executor.owner, executor.it, rounds))


def _layer(owner: str, executor: Executor, rounds: Rounds) -> Proceed:
    async def run(call: Call[Any]) -> AsyncGenerator[Any, None]:
        _plugin_at_work = owner
        events, stint = executor(call), None
        try:
            async for event in events:
                yield event
                if stint is None:  # many calls have but one event
                    stint = Stint(rounds)
                elif stint.is_long():
                    await stint.give_way()
        except BaseException:  # an iterator that has ended is closed
            await close(events)
            raise

    return run


async def close(events: AsyncIterator[Any]) -> None:
    """Close an iterator, and with it everything that it iterates over; a plain iterator has nothing to close."""
    aclose = getattr(events, "aclose", None)
    if aclose is not None:
        await aclose()
