"""What a call's events add up to: the choices of its answer, its usage and its timings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET, UnsetType

from ovms_llm.http.answers import CompletionTokensDetails, PromptTokensDetails, TimingsReport, Usage
from ovms_llm.messages import Delta, FinishReason, Started, Timings, TokenLogprob, ToolCallDelta, Used


@dataclass(slots=True)
class UsageCounter:
    """Tokens and times, added up over the events of one call."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int | None = None
    timings: list[Timings] = field(default_factory=list)

    def add(self, event: Any) -> None:
        """Count an event, whatever it is."""
        if isinstance(event, Delta):
            self.completion_tokens += len(event.tokens)
            if event.channel == "reasoning":
                self.reasoning_tokens += len(event.tokens)
        elif isinstance(event, ToolCallDelta):
            self.completion_tokens += len(event.tokens)
        elif isinstance(event, Started):
            self._add_prompt(event)
        elif isinstance(event, Used):
            self._add_prompt(event)
            self.completion_tokens += event.completion_tokens
            self.reasoning_tokens += event.reasoning_tokens
        elif isinstance(event, Timings):
            self.timings.append(event)

    def _add_prompt(self, event: Started | Used) -> None:
        self.prompt_tokens += event.prompt_tokens
        if event.cached_tokens is not None:
            self.cached_tokens = (self.cached_tokens or 0) + event.cached_tokens

    def usage(self) -> Usage:
        """The usage; a prompt counts once, however many choices continue it."""
        total = self.prompt_tokens + self.completion_tokens
        details = UNSET if self.cached_tokens is None else PromptTokensDetails(self.cached_tokens)
        thought = CompletionTokensDetails(self.reasoning_tokens) if self.reasoning_tokens else UNSET
        return Usage(self.prompt_tokens, self.completion_tokens, total, details, thought)

    def timings_report(self, elapsed_ms: float) -> TimingsReport | UnsetType:
        """The timings of a call that took `elapsed_ms`.

        Its prompts run side by side, so the longest times count and the rates add up.
        """
        if not self.timings:
            return UNSET
        queue, tokenize, prefill, decode = (
            max(getattr(each, name) for each in self.timings)
            for name in ("queue_ms", "tokenize_ms", "prefill_ms", "decode_ms")
        )
        rate = sum(each.tokens_per_second for each in self.timings)
        in_engine = max(each.queue_ms + each.tokenize_ms + each.prefill_ms + each.decode_ms for each in self.timings)
        return TimingsReport(queue, tokenize, prefill, decode, rate, max(0.0, elapsed_ms - in_engine))


@dataclass(slots=True)
class CallBuilder:
    """One tool call of an answer, put together from its deltas."""

    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)

    @property
    def arguments(self) -> str:
        """The arguments so far: JSON text."""
        return "".join(self.pieces)

    def add(self, delta: ToolCallDelta) -> None:
        """Append what the call gained."""
        self.id = delta.id or self.id
        self.name = delta.name or self.name
        self.pieces.append(delta.arguments)


@dataclass(slots=True)
class ChoiceBuilder:
    """One answer, put together from its deltas. `logprobs` are those of its content."""

    index: int
    pieces: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: dict[int, CallBuilder] = field(default_factory=dict)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish_reason: FinishReason = "stop"
    stop_reason: str | int | UnsetType = UNSET

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self.pieces)

    @property
    def thought(self) -> str:
        """The thought so far."""
        return "".join(self.thoughts)

    def add(self, delta: Delta | ToolCallDelta) -> None:
        """Append what the sequence gained."""
        if isinstance(delta, ToolCallDelta):
            self.calls.setdefault(delta.call, CallBuilder()).add(delta)
            return
        if delta.channel == "reasoning":
            self.thoughts.append(delta.text)
        else:
            self.pieces.append(delta.text)
            self.logprobs += delta.logprobs or ()
        if delta.finish_reason is not None:
            self.finish_reason = delta.finish_reason
            self.stop_reason = UNSET if delta.stop_reason is None else delta.stop_reason


def collect(events: Iterable[Any], count: int) -> tuple[list[ChoiceBuilder], UsageCounter]:
    """The `count` choices that `events` make, and what they add up to."""
    choices, counter = [ChoiceBuilder(index) for index in range(count)], UsageCounter()
    for event in events:
        counter.add(event)
        if isinstance(event, Delta | ToolCallDelta):
            choices[event.index].add(event)
    return choices, counter
