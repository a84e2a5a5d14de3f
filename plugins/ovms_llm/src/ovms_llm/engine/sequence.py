"""Requests in flight, and the sequences of tokens that they are made of."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from ovms_llm.engine.detokenizer import Decode, Detokenizer
from ovms_llm.engine.plan import Plan
from ovms_llm.engine.stops import StopStrings
from ovms_llm.messages import Delta, FinishReason, Timings


@dataclass(frozen=True, slots=True)
class Reading:
    """What GenAI gave for a sequence in a step.

    `finish` is how it ended, if it did; `over` says that GenAI ended it itself and has freed its blocks.
    """

    sequence: Sequence
    tokens: list[int]
    logprobs: list[float]
    finish: FinishReason | None
    over: bool


@dataclass(frozen=True, slots=True)
class Gained:
    """A sequence's new text and tokens, and how it ended, if it did."""

    text: str
    tokens: list[int]
    finish: FinishReason | None
    stop_reason: str | int | None


@dataclass(slots=True)
class Clock:
    """When things happened to a request, in seconds of `perf_counter`."""

    arrived: float = field(default_factory=perf_counter)
    tokenized: float = 0.0
    admitted: float = 0.0
    first: float = 0.0

    @staticmethod
    def now() -> float:
        """The time on this clock."""
        return perf_counter()

    def timings(self, tokens: int) -> Timings:
        """Where the time went until now, in which `tokens` were generated; the first of them is prefill's."""
        now = perf_counter()
        admitted, first = self.admitted or now, self.first or now
        decode = now - first
        return Timings(
            tokenize_ms=1e3 * (self.tokenized - self.arrived),
            queue_ms=1e3 * (admitted - self.tokenized),
            prefill_ms=1e3 * (first - admitted),
            decode_ms=1e3 * decode,
            tokens_per_second=max(0, tokens - 1) / decode if decode > 0 else 0.0,
        )


@dataclass(slots=True, eq=False)
class RequestState:
    """One `Generate` in flight.

    `open` counts the sequences that have not ended. Where more sequences are generated than kept, their
    deltas wait in `ranked` with their scores until all have ended.
    """

    id: int
    plan: Plan
    clock: Clock
    timings: bool
    prompt_tokens: int
    prompt_text: str | None
    started: bool
    open: int = 0
    generated: int = 0
    ranked: dict[int, tuple[float, list[Delta]]] = field(default_factory=dict)

    def keep(self, index: int, score: float, delta: Delta) -> None:
        """Keep a delta of sequence `index`, whose cumulative log probability is `score` by now."""
        deltas = self.ranked[index][1] if index in self.ranked else []
        deltas.append(delta)
        self.ranked[index] = score, deltas

    def best(self) -> list[Delta]:
        """The likeliest of the kept sequences, each as one delta, numbered by rank."""
        ranking = sorted(self.ranked.values(), key=lambda ranked: -ranked[0])[: self.plan.sampling.n]
        return [_joined(index, deltas) for index, (_, deltas) in enumerate(ranking)]


def _joined(index: int, deltas: list[Delta]) -> Delta:
    last = deltas[-1]
    has_logprobs = last.logprobs is not None
    return Delta(
        index,
        "".join(delta.text for delta in deltas),
        [token for delta in deltas for token in delta.tokens],
        [logprob for delta in deltas for logprob in delta.logprobs or []] if has_logprobs else None,
        last.finish_reason,
        last.stop_reason,
    )


class Sequence:
    """A sequence of tokens that is waiting, running, or has been put back.

    It keeps its tokens and its place in the text, so that it goes on after a preemption as if nothing
    had been. `leader` is the sequence that computes the prompt which this one shares.
    """

    __slots__ = ("detokenizer", "handle", "index", "leader", "prompt", "request", "score", "stops", "tokens", "width")

    def __init__(self, request: RequestState, index: int, prompt: list[int], leader: Sequence | None = None) -> None:
        sampling = request.plan.sampling
        self.request = request
        self.index = index
        self.prompt = prompt
        self.leader = leader
        self.width = request.plan.beams
        self.tokens: list[int] = []
        self.score = 0.0
        self.handle: Any = None
        self.detokenizer = Detokenizer(prompt)
        self.stops = StopStrings(sampling.stop, include=sampling.include_stop)

    @property
    def length(self) -> int:
        """Tokens so far, the prompt's included."""
        return len(self.prompt) + len(self.tokens)

    @property
    def remaining(self) -> int:
        """Tokens it may still gain."""
        return self.request.plan.max_tokens - len(self.tokens)

    def replay(self, emitted: Items[int], decode: Decode) -> Gained | None:
        """Take in tokens given in an earlier life; how the sequence ended, if it had."""
        self.tokens = list(emitted)
        ended = self._ended(self.tokens[-1])
        hidden = ended is not None and self._hides(self.tokens[-1])
        match = self._replay_text(self.tokens[:-1] if hidden else self.tokens, decode)
        if match is not None:
            return Gained("", [], "stop", match)
        return Gained("", [], *ended) if ended else None

    def _replay_text(self, tokens: Items[int], decode: Decode) -> str | None:
        """Take in the text of `tokens`; the stop string that ends it, if one does."""
        text, sampling = self.detokenizer.replay(tokens, decode), self.request.plan.sampling
        if not sampling.stop:
            return None
        before = Detokenizer(self.prompt).replay(tokens[: max(0, sampling.min_tokens - 1)], decode)
        self.stops.feed(before, may_end=False)
        return self.stops.feed(text[len(before) :], may_end=self._may_end)[1]

    @property
    def _may_end(self) -> bool:
        return len(self.tokens) >= self.request.plan.sampling.min_tokens

    def _ended(self, last: int) -> tuple[FinishReason, int | None] | None:
        plan = self.request.plan
        sampling = plan.sampling
        if last in sampling.stop_token_ids and self._may_end:
            return "stop", last
        if last in plan.eos and not sampling.ignore_eos:
            return "stop", None
        return ("length", None) if self.remaining <= 0 else None

    def _hides(self, last: int) -> bool:
        """Whether the text of `last`, which ended the sequence, is left out."""
        sampling = self.request.plan.sampling
        if last in sampling.stop_token_ids:
            return not sampling.include_stop
        return last in self.request.plan.eos and not sampling.ignore_eos and sampling.skip_special_tokens

    def windows(self, reading: Reading) -> tuple[list[int], list[int]]:
        """Take in a reading, and say which two token sequences must be decoded."""
        tokens = reading.tokens
        self.tokens += tokens
        if reading.finish == "stop" and tokens and self._hides(tokens[-1]):
            tokens = tokens[:-1]
        return self.detokenizer.windows(tokens)

    def gain(self, reading: Reading, before: str, after: str) -> Gained:
        """What the reading comes to, its windows being `before` and `after` as text."""
        sampling = self.request.plan.sampling
        finish = reading.finish
        text = self.detokenizer.advance(before, after, last=finish is not None)
        if not sampling.stop:
            return Gained(text, reading.tokens, finish, self._stop_id(reading))
        text, match = self.stops.feed(text, may_end=self._may_end)
        if match is not None:
            return Gained(text, reading.tokens, "stop", match)
        if finish is not None:
            text += self.stops.flush()
        return Gained(text, reading.tokens, finish, self._stop_id(reading))

    def _stop_id(self, reading: Reading) -> int | None:
        if reading.finish != "stop" or not reading.tokens:
            return None
        last = reading.tokens[-1]
        return last if last in self.request.plan.sampling.stop_token_ids else None
