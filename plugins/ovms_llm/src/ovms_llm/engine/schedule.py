"""Which sequences run: admission against the KV cache, and preemption before it runs dry."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from ovms_core.engine import RequestError
from ovms_llm.engine.request_state import RequestState
from ovms_llm.engine.sequence import Sequence
from ovms_llm.model.budget import Cache

# Tokens that a sequence must have room for, beyond its prompt, before it is admitted.
_HEADROOM: Final = 64
# A sequence grows by one token a step, and a preempted one holds its blocks for one step more.
_AHEAD: Final = 2


class Schedule:
    """The waiting list and the running sequences, oldest first.

    GenAI must never run its cache dry: it has crashed doing so, and gives up the request at best. So a
    sequence counts with all blocks that it may need after the next step, as if it shared none of them,
    and the youngest is put back when that is more than there are.

    With `cuts_prompts` GenAI reads a prompt in several steps, and offers blocks to others like it that it has only
    begun (docs/engine-notes.md). So the prompt that is being read is never taken from it: when its request is dropped,
    it is `leaving` until it has been read. Prompts are read one after the other: there is one at most.
    """

    def __init__(self, cache: Cache, max_num_seqs: int, *, shares_prompts: bool, cuts_prompts: bool) -> None:
        self.running: list[Sequence] = []
        self.waiting: deque[Sequence] = deque()
        self.leaving: Sequence | None = None
        self.preemptions = 0
        self._cache = cache
        self._max_num_seqs = max_num_seqs
        self._shares_prompts = shares_prompts
        self._cuts_prompts = cuts_prompts
        self._lingering = 0

    def room(self, prompt_tokens: int, width: int) -> int:
        """The most tokens that a request with such a prompt can ever gain; under 1 if it can never run."""
        return self._cache.blocks // width * self._cache.block_size - prompt_tokens - _AHEAD

    def check(self, prompt_tokens: int, max_tokens: int, width: int) -> None:
        """Raises `RequestError` for a request that could never run."""
        if width > self._max_num_seqs:
            raise RequestError(
                f"{width} beams are more than options.max_num_seqs ({self._max_num_seqs}): lower best_of or n",
                param="best_of",
            )
        if max_tokens > self.room(prompt_tokens, width):
            need = f"{prompt_tokens + max_tokens} tokens" + (f" in {width} beams" if width > 1 else "")
            raise RequestError(
                f"KV cache of {self._cache.bytes / 2**30:.3g} GB holds {self._cache.tokens} tokens, and the request "
                f"may need {need} (prompt {prompt_tokens}, new {max_tokens}): "
                "raise options.cache_size or lower max_tokens",
                param="max_tokens",
            )

    def preempt(self) -> Iterator[Sequence]:
        """Put the youngest sequences back until the others fit; the caller must take them from GenAI.

        Those that follow a grammar last: they have to be generated again from its beginning.
        """
        while len(self._held()) > 1 and self._taken() > self._cache.blocks:
            being_read = self._being_read()
            able = [sequence for sequence in self.running if sequence is not being_read]
            free = (sequence for sequence in reversed(able[1:]) if sequence.grammar is None)
            youngest = next(free, able[-1])
            self.release(youngest)
            youngest.read = 0
            self.waiting.appendleft(youngest)
            self.preemptions += 1
            yield youngest

    def admit(self, ready: Callable[[Sequence], bool]) -> Iterator[Sequence]:
        """Move sequences that have room from the waiting list to the running ones, first come first served.

        One that is not `ready`, whose grammar is still being compiled, is overtaken.
        """
        for sequence in [sequence for sequence in self.waiting if self._may_start(sequence)]:
            if not self._fits(sequence):
                return
            if not ready(sequence):
                continue
            self.waiting.remove(sequence)
            self.running.append(sequence)
            yield sequence

    def ended(self, sequence: Sequence) -> None:
        """GenAI finished `sequence` by itself: its blocks are free already."""
        self.running.remove(sequence)

    def release(self, sequence: Sequence) -> None:
        """`sequence` is taken from GenAI, which frees its blocks in the next step."""
        self.running.remove(sequence)
        self._lingering += self._need(sequence, _AHEAD)

    def forget(self, state: RequestState) -> list[Sequence]:
        """Drop every sequence of `state`; those are returned that have to be taken from GenAI now."""
        self.waiting = deque(sequence for sequence in self.waiting if sequence.request is not state)
        dropped = [sequence for sequence in self.running if sequence.request is state]
        being_read = self._being_read()
        if being_read in dropped:
            dropped.remove(being_read)
            self.running.remove(being_read)
            self.leaving = being_read
        for sequence in dropped:
            self.release(sequence)
        return dropped

    def left(self) -> None:
        """What was `leaving` has been read and taken from GenAI."""
        if self.leaving is not None:
            self._lingering += self._need(self.leaving, _AHEAD)
            self.leaving = None

    def stepped(self) -> None:
        """GenAI made a step: what was released before it is free."""
        self._lingering = 0

    @property
    def busy(self) -> bool:
        """Whether GenAI has something to do, be it only to free blocks."""
        return bool(self._held()) or self._lingering > 0

    def _held(self) -> list[Sequence]:
        """The sequences that GenAI has."""
        return self.running if self.leaving is None else [*self.running, self.leaving]

    def _being_read(self) -> Sequence | None:
        """The sequence whose prompt GenAI may have read in part."""
        if not self._cuts_prompts or self.leaving is not None:
            return self.leaving
        unread = (sequence for sequence in self.running if sequence.unread)
        return min(unread, key=lambda sequence: sequence.number, default=None)

    def _need(self, sequence: Sequence, ahead: int) -> int:
        """The blocks for `ahead` more tokens of `sequence`. Those that beams gain are not seen before their end."""
        tokens = sequence.length + (ahead if sequence.width == 1 else sequence.remaining + _AHEAD)
        return self._cache.blocks_for(tokens) * sequence.width

    def _taken(self) -> int:
        return self._lingering + sum(self._need(sequence, _AHEAD) for sequence in self._held())

    def _may_start(self, sequence: Sequence) -> bool:
        """A sequence that shares its prompt waits for the one that computes it, so that it is computed once."""
        leader = sequence.leader
        return not self._shares_prompts or leader is None or bool(leader.tokens)

    def _fits(self, sequence: Sequence) -> bool:
        if sum(other.width for other in self._held()) + sequence.width > self._max_num_seqs:
            return False
        free = self._cache.blocks - self._taken()
        if not self._held():
            return self._need(sequence, _AHEAD) <= free
        ahead = _AHEAD + min(_HEADROOM, sequence.remaining)
        return self._need(sequence, ahead) + len(self.running) <= free
