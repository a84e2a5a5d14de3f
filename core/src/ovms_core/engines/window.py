"""Which items of all requests in flight run next, and together: what `BatchEngine` decides with.

A batch of texts is a rectangle: every row is padded to the longest. So a good batch holds texts of about one
length, and a good server looks for them in all requests at once without letting anyone wait for ever.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT", bound=Hashable)

_BURST = 8
"""Items of one request that count as one turn. More would favour large requests, fewer small ones."""

_FRONT = 4
"""Budgets of tokens among which similar lengths are looked for. A wider front pads less and is less fair."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """The rectangles (rows, length) that batches are padded to.

    They are few, because the CPU plugin keeps 2 to 3 MiB for every input shape that it has ever seen. What is
    larger than the last step stays as it is.
    """

    rows: tuple[int, ...]
    lengths: tuple[int, ...]

    @classmethod
    def up_to(cls, max_length: int, max_rows: int = 64) -> Shapes:
        """Steps that cost little padding: lengths in sixteenths to eighths of themselves, 1 to `max_rows` rows."""
        return cls(rows=_steps(max_rows, finest=1, parts=2), lengths=_steps(max_length, finest=16, parts=4))

    def of(self, rows: int, length: int) -> tuple[int, int]:
        """The rectangle that `rows` sequences of at most `length` tokens are padded to."""
        return _round_up(rows, self.rows), _round_up(length, self.lengths)


def _steps(last: int, *, finest: int, parts: int) -> tuple[int, ...]:
    """Ascending sizes, ending in `last`: `parts` to each power of two, none nearer than `finest`."""
    steps, size = [], finest
    while size < last:
        steps.append(size)
        size += max(finest, (1 << (size.bit_length() - 1)) // parts)
    return (*steps, last)


def _round_up(size: int, steps: Sequence[int]) -> int:
    at = bisect_left(steps, size)
    return steps[at] if at < len(steps) else size


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How batches are formed.

    `max_batch_tokens` bounds rows times length, padding included; a single item may be larger. `streams` is how
    many batches run at once. `overhead_tokens` is what starting a batch costs, in tokens that could have been
    computed instead. `window` is how many items are prepared ahead. Without `across_requests` no batch holds
    items of two requests.
    """

    shapes: Shapes
    max_batch_tokens: int = 1024
    streams: int = 1
    overhead_tokens: int = 64
    window: int = 512
    across_requests: bool = True


@dataclass(slots=True, eq=False)
class Entry(Generic[ItemT]):
    """An item in the window, and the places (request, index) that wait for its result."""

    item: ItemT
    length: int
    turn: int
    order: int
    owners: list[tuple[int, int]] = field(default_factory=list)


class Window(Generic[ItemT]):
    """The items of all requests that wait or run.

    Requests take turns. In each round every request has one turn, of a few items, and one that arrives joins
    the next round: so a request of one text never waits behind all of a request of two thousand, and neither
    do many small requests starve a large one. The item whose turn it is, the anchor, is in the next batch; the rest
    of the batch is chosen among those whose turn comes soon, to waste the least on padding.
    """

    def __init__(self, limits: BatchLimits) -> None:
        self._limits = limits
        self._waiting: dict[ItemT, Entry[ItemT]] = {}
        self._running: dict[ItemT, Entry[ItemT]] = {}
        self._next_turn: dict[int, int] = {}
        self._round = 0
        self._order = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: ItemT, length: int, owner: tuple[int, int]) -> None:
        """Let `owner` wait for the result of `item`; an equal item that waits or runs is not computed again."""
        turn = self._take_turn(owner[0])
        entry = self._running.get(item) or self._waiting.get(item)
        if entry is None:
            self._order += 1
            entry = self._waiting[item] = Entry(item, length, turn, self._order)
        entry.turn = min(entry.turn, turn)
        entry.owners.append(owner)

    def _take_turn(self, request: int) -> int:
        ticket = max(self._next_turn.get(request, 0), (self._round + 1) * _BURST)
        self._next_turn[request] = ticket + 1
        return ticket // _BURST

    def leave(self, request: int, *, waits: bool) -> None:
        """Forget the turns of `request` and, if it still `waits`, drop the items that nobody else waits for."""
        self._next_turn.pop(request, None)
        if not waits:
            return
        for entry in [*self._waiting.values(), *self._running.values()]:
            entry.owners = [owner for owner in entry.owners if owner[0] != request]
            if not entry.owners:
                self._waiting.pop(entry.item, None)

    def form(self) -> list[Entry[ItemT]]:
        """Take the next batch out of what waits; empty when nothing does."""
        if not self._waiting:
            return []
        queue = sorted(self._waiting.values(), key=lambda entry: (entry.turn, entry.order))
        self._round = max(self._round, queue[0].turn)
        batch = _densest(queue[0], self._front(queue), self._limits)
        for entry in batch:
            self._running[entry.item] = self._waiting.pop(entry.item)
        return batch

    def _front(self, queue: Sequence[Entry[ItemT]]) -> list[Entry[ItemT]]:
        """The items after the first whose turn comes soon."""
        first, limits = queue[0], self._limits
        tokens, front = _FRONT * limits.max_batch_tokens, []
        for entry in queue[1:]:
            if tokens <= 0:
                break
            if limits.across_requests or entry.owners[0][0] == first.owners[0][0]:
                front.append(entry)
                tokens -= entry.length
        return front

    def finish(self, batch: Iterable[Entry[ItemT]]) -> None:
        """The batch has run: what is equal to its items is computed anew from now on."""
        for entry in batch:
            del self._running[entry.item]


def _densest(anchor: Entry[ItemT], front: list[Entry[ItemT]], limits: BatchLimits) -> list[Entry[ItemT]]:
    """The batch with `anchor` that computes the most real tokens for what it costs.

    For each length that the batch could be padded to, take what fits from the longest down.
    """
    front.sort(key=lambda entry: entry.length, reverse=True)
    best, best_density = [anchor], _density(anchor.length, 1, anchor.length, limits)
    for start in _tops(anchor, front, limits.shapes):
        longest = max(anchor.length, front[start].length)
        tokens = anchor.length
        for end in range(start, len(front)):
            tokens += front[end].length
            density = _density(tokens, end - start + 2, longest, limits)
            if density == 0:
                break
            if density >= best_density:
                best, best_density = [anchor, *front[start : end + 1]], density
    return best


def _tops(anchor: Entry[ItemT], front: Sequence[Entry[ItemT]], shapes: Shapes) -> Iterable[int]:
    """Where, in `front` sorted from the longest, each padded length that holds `anchor` begins."""
    previous = 0
    for index, entry in enumerate(front):
        length = shapes.of(1, max(entry.length, anchor.length))[1]
        if length != previous:
            yield index
        previous = length


def _density(tokens: int, rows: int, length: int, limits: BatchLimits) -> float:
    """Real tokens for each token that the batch costs; 0 when it is over the budget."""
    padded_rows, padded_length = limits.shapes.of(rows, length)
    padded = padded_rows * padded_length
    if rows > 1 and (padded > limits.max_batch_tokens or rows > limits.shapes.rows[-1]):
        return 0
    return tokens / (padded + limits.overhead_tokens)
