"""Requests in flight."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

from ovms_llm.engine.course import Course
from ovms_llm.engine.plan import Plan
from ovms_llm.messages import Delta, Timings


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
    course: Course
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
