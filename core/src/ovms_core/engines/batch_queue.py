"""Which items of all requests in flight run next, and together: what `BatchEngine` decides with.

A batch of texts is a rectangle: every row is padded to the longest. So a good batch holds texts of about one
length, and a good server looks for them in all requests at once without letting anyone wait for ever.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT", bound=Hashable)

_BURST = 8
"""Items of one request that count as one turn. More would favour large requests, fewer small ones."""

_PATIENCE = 2
"""Batches that may leave out the item whose turn it is, for a better fit. More would pad less, and keep it waiting."""

_FRONT = 4
"""Budgets of tokens among which similar lengths are looked for. A wider front pads less and is less fair."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """The rectangles (rows, length) that batches are padded to.

    They are few, because the CPU plugin keeps up to 3 MiB for every input shape that it has ever seen. What is
    larger than the last step stays as it is.
    """

    rows: tuple[int, ...]
    lengths: tuple[int, ...]

    @classmethod
    def up_to(cls, max_length: int, max_rows: int = 64) -> Shapes:
        """Steps that cost little padding: lengths in steps of 8, from 128 on of an eighth, and 1 to `max_rows` rows."""
        return cls(rows=_steps(max_rows, finest=1, parts=2), lengths=_steps(max_length, finest=8, parts=8))

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
    """An item in the queue, and the places (request, index) that wait for its result.

    `passed` counts the batches that left it out when its turn had come.
    """

    item: ItemT
    length: int
    turn: int
    order: int
    owners: list[tuple[int, int]] = field(default_factory=list)
    passed: int = 0


class BatchQueue(Generic[ItemT]):
    """The items of all requests that wait or run.

    Requests take turns. In each round every request has one turn, of a few items, and one that arrives joins
    the next round: so a request of one text never waits behind all of a request of two thousand, and neither
    do many small requests starve a large one. A batch is chosen among the items whose turn has come or comes soon, to
    waste the least on padding; the one whose turn it is may be left out, but not for long.
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

    @property
    def tokens(self) -> int:
        """Tokens of all items that wait."""
        return sum(entry.length for entry in self._waiting.values())

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

    def form(self, streams: int = 1) -> list[Entry[ItemT]]:
        """Take the next batch out of what waits, of which `streams` may each have a share; empty when nothing waits."""
        if not self._waiting:
            return []
        queue = sorted(self._waiting.values(), key=lambda entry: (entry.turn, entry.order))
        first = queue[0]
        self._round = max(self._round, first.turn)
        limits = self._limits
        if streams > 1:
            limits = replace(limits, max_batch_tokens=min(limits.max_batch_tokens, -(-self.tokens // streams)))
        batch = _densest(self._front(queue), limits, first if first.passed >= _PATIENCE else None)
        if first not in batch:
            first.passed += 1
        for entry in batch:
            self._running[entry.item] = self._waiting.pop(entry.item)
        return batch

    def _front(self, queue: Sequence[Entry[ItemT]]) -> list[Entry[ItemT]]:
        """The first item and those whose turn comes soon."""
        first, limits = queue[0], self._limits
        tokens, front = _FRONT * limits.max_batch_tokens, list[Entry[ItemT]]()
        for entry in queue:
            if front and tokens <= 0:
                break
            if limits.across_requests or entry.owners[0][0] == first.owners[0][0]:
                front.append(entry)
                tokens -= entry.length
        return front

    def finish(self, batch: Iterable[Entry[ItemT]]) -> None:
        """The batch has run: what is equal to its items is computed anew from now on."""
        for entry in batch:
            del self._running[entry.item]


def _densest(front: Iterable[Entry[ItemT]], limits: BatchLimits, due: Entry[ItemT] | None) -> list[Entry[ItemT]]:
    """The batch out of `front`, with `due` in it, that computes the most real tokens for what it costs.

    For each length that the batch could be padded to, take what fits from the longest down.
    """

    def padded(entry: Entry[ItemT]) -> int:
        return limits.shapes.of(1, entry.length)[1]

    order = sorted(front, key=lambda entry: (-padded(entry), entry is not due, -entry.length))
    at = order.index(due) if due else None
    best, best_density = [due] if due else order[:1], 0.0
    for start in _tops(order[: None if at is None else at + 1], padded):
        tokens, longest = 0, padded(order[start])
        for end in range(start, len(order)):
            tokens += order[end].length
            density = _density(tokens, end - start + 1, longest, limits)
            if density == 0:
                break
            if density >= best_density and (at is None or at <= end):
                best, best_density = order[start : end + 1], density
    return best


def _tops(order: Iterable[Entry[ItemT]], padded: Callable[[Entry[ItemT]], int]) -> Iterable[int]:
    """Where each padded length begins in `order`."""
    previous = 0
    for index, entry in enumerate(order):
        if padded(entry) != previous:
            yield index
        previous = padded(entry)


def _density(tokens: int, rows: int, length: int, limits: BatchLimits) -> float:
    """Real tokens for each token that the batch costs; 0 when it is over the budget."""
    padded_rows, padded_length = limits.shapes.of(rows, length)
    padded = padded_rows * padded_length
    if rows > 1 and (padded > limits.max_batch_tokens or rows > limits.shapes.rows[-1]):
        return 0
    return tokens / (padded + limits.overhead_tokens)
