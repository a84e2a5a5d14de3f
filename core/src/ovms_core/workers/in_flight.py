"""The requests that an engine has taken on, and which of them it has lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ovms_core.engine import Engine

_TICK = 1.0
"""Seconds without a gain after which an engine is asked whether it still has a request."""

_IDLE_PACE = 1000
"""Steps in a second, none of which gains anything, that an engine makes only if they do nothing."""

_NOT_HELD = "the engine has it no more (in_flight) but did not end it: step() must give (id, DONE) or a RequestError"
_OVERTAKEN = "while it ended requests that came later"
_IDLE = "and its steps did nothing at all"


class InFlight:
    """The requests in flight in `engine`; what their gains are is not its business.

    An engine that says what it has is taken at its word. In one that does not, a request is lost that has gained
    nothing for `limit` seconds although requests that came later have ended, or although the engine did nothing.
    """

    def __init__(self, engine: Engine, limit: float) -> None:
        self._engine = engine
        self._limit = limit
        self._tick = min(_TICK, limit / 4)
        self._count = 0
        self._numbers: dict[int, int] = {}
        self._last_ended = 0
        self._quiet: set[int] = set()
        self._quiet_since: dict[int, float] = {}
        self._gained_at: float | None = None
        self._steps = 0
        self._looked_at = 0.0

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, id: int) -> bool:
        return id in self._numbers

    def add(self, id: int) -> None:
        """The engine has taken on a request."""
        if not self._numbers:
            self._gained_at = None
        self._count += 1
        self._numbers[id] = self._count

    def ended(self, id: int) -> None:
        """The engine has ended a request, for better or worse."""
        self._last_ended = max(self._last_ended, self.forget(id))

    def forget(self, id: int) -> int:
        """The request is not in the engine any more; its number, 0 for one that was not."""
        self._quiet.discard(id)
        self._quiet_since.pop(id, None)
        return self._numbers.pop(id, 0)

    def lost(self, now: float, gained: Sequence[tuple[int, Any]], *, ended: bool) -> list[tuple[int, str]]:
        """After a step: the requests that are lost, each with the reason why. `ended`: the step has ended some."""
        self._steps += 1
        if gained or ended or self._gained_at is None:
            self._gained_at, self._steps = now, 0
        if self._quiet:  # mostly not: after the first step of a tick all have gained something
            self._quiet.difference_update(id for id, _ in gained)
        if now - self._looked_at < self._tick:
            return []
        self._looked_at = now
        found = list(self._find(now))
        for id in self._numbers.keys() - self._quiet:
            self._quiet_since[id] = now
        self._quiet = set(self._numbers)
        return found

    def _find(self, now: float) -> Iterator[tuple[int, str]]:
        if not self._quiet:
            return
        held = self._engine.in_flight()
        if held is not None:
            yield from ((id, _NOT_HELD) for id in self._quiet if id not in held)
            return
        for id in self._quiet:
            overtaken = self._numbers[id] < self._last_ended
            if now - self._quiet_since[id] >= self._limit and (overtaken or self._idles(now)):
                how = _OVERTAKEN if overtaken else _IDLE
                yield id, f"the engine gained nothing for it in {self._limit:g} s (step_timeout), {how}"

    def _idles(self, now: float) -> bool:
        """Whether the engine has done nothing for long. Its steps are counted: a busy machine stretches their times."""
        since = now - (self._gained_at or now)
        return since >= self._limit and self._steps >= _IDLE_PACE * since
