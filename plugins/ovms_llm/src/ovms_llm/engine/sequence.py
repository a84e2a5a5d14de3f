"""The sequences of tokens that requests are made of."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass, replace
from typing import Any

from openvino_genai import GenerationConfig

from ovms_llm.engine.compiler import Compilation, Pin
from ovms_llm.engine.detokenizer import Decode, Detokenizer
from ovms_llm.engine.request_state import RequestState
from ovms_llm.engine.stops import StopStrings
from ovms_llm.engine.thought import Thought, Turn
from ovms_llm.messages import FinishReason


@dataclass(frozen=True, slots=True)
class Reading:
    """What GenAI gave for a sequence in a step.

    `finish` is how it ended, if it did; `over` says that GenAI ended it itself and has freed its blocks. `turns` says
    that another part of the answer begins behind it, for which the sequence is submitted again.
    """

    sequence: Sequence
    tokens: list[int]
    logprobs: list[float]
    finish: FinishReason | None
    over: bool
    turns: bool = False


@dataclass(frozen=True, slots=True)
class Gained:
    """A sequence's new text and tokens, and how it ended, if it did."""

    text: str
    tokens: list[int]
    finish: FinishReason | None
    stop_reason: str | int | None


class Sequence:
    """A sequence of tokens that is waiting, running, or has been put back.

    It keeps its tokens and its place in the text, so that it goes on after a preemption as if nothing
    had been. `leader` is the sequence that computes the prompt which this one shares.

    Its tokens from `base` on follow `grammar`, if any. GenAI follows a grammar from its beginning only, so such
    a sequence goes on from its base: what is generated again is `expected`, and not given again.

    `number` is that of its request in GenAI, which reads prompts in the order of theirs, and `unread` says that it has
    given no token for it yet. A long prompt is submitted in portions: `read` counts the tokens of those before, and
    `partial` says that GenAI has another.
    """

    __slots__ = (
        "base",
        "compilation",
        "detokenizer",
        "expected",
        "grammar",
        "handle",
        "index",
        "leader",
        "number",
        "partial",
        "pin",
        "prompt",
        "read",
        "request",
        "score",
        "stops",
        "thought",
        "tokens",
        "unread",
        "width",
    )

    def __init__(
        self,
        request: RequestState,
        index: int,
        prompt: list[int],
        leader: Sequence | None = None,
        thought: Thought | None = None,
    ) -> None:
        sampling = request.plan.sampling
        self.thought = thought
        self.base = 0
        self.grammar = request.course.first
        self.expected: list[int] = []
        self.pin: Pin | None = None
        self.compilation: Compilation | None = None
        self.request = request
        self.index = index
        self.prompt = prompt
        self.leader = leader
        self.width = request.plan.beams
        self.tokens: list[int] = []
        self.score = 0.0
        self.handle: Any = None
        self.number = 0
        self.unread = False
        self.partial = False
        self.read = 0
        self.detokenizer = Detokenizer(prompt)
        # A stop string must not cut what a grammar makes whole.
        self.stops = StopStrings([] if request.course.guided else sampling.stop, include=sampling.include_stop)

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
        if not self.stops:
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

    def submission(self, portion: int | None) -> tuple[list[int], GenerationConfig]:
        """What GenAI gets: the tokens to go on from, and its settings.

        Where more than `portion` tokens have not been read, it gets only so many of them, and what it generates is not
        used. Beams are submitted when their prompt has been read: they say nothing before their end.
        """
        known = len(self.tokens) if self.grammar is None else self.base
        self.expected = self.tokens[known:]
        tokens = self.prompt + self.tokens[:known]
        left = len(tokens) - self.read
        self.partial = portion is not None and (left > portion or (self.width > 1 and left > 0))
        if portion is not None and self.partial:
            self.read += min(portion, left)
            return tokens[: self.read], GenerationConfig(max_new_tokens=1, ignore_eos=True)
        return tokens, self.request.plan.config(known, self.index, self.grammar)

    def confirmed(self, reading: Reading) -> Reading | None:
        """What `reading` adds to the tokens that were expected; `None` if they are others."""
        count = min(len(self.expected), len(reading.tokens))
        if reading.tokens[:count] != self.expected[:count] or (reading.finish and len(self.expected) > count):
            return None
        del self.expected[:count]
        return replace(reading, tokens=reading.tokens[count:], logprobs=reading.logprobs[count:])

    def considered(self, reading: Reading) -> Reading:
        """`reading`, with what becomes of the thought by it."""
        thought = self.thought
        if thought is None or not reading.tokens:
            return reading
        gives_up = reading.finish == "stop" and thought.begun and self.request.course.guided
        if gives_up and reading.tokens[-1] in self.request.plan.eos:  # the answer has not been given yet
            reading = replace(reading, tokens=reading.tokens[:-1], logprobs=reading.logprobs[:-1], finish=None)
            return self.closed(reading)
        turn = thought.feed(reading.tokens)
        if turn is Turn.EXHAUSTED and reading.finish is None:
            return self.closed(reading)
        if turn in (Turn.ANSWERS, Turn.CLOSED):
            self.thought = None
        turns = self.request.course.guided and turn in (Turn.OPENED, Turn.CLOSED) and reading.finish != "length"
        return replace(reading, finish=None, turns=True) if turns else reading

    def closed(self, reading: Reading) -> Reading:
        """`reading` with the marker behind it that ends the thought. Nobody chose it: its probability is one.

        Half a marker is not given: it would be read as a part of the thought.
        """
        self.thought = None
        room = self.remaining - len(reading.tokens)
        marker = list(self.request.course.closing) if len(self.request.course.closing) <= room else []
        return replace(
            reading,
            tokens=reading.tokens + marker,
            logprobs=reading.logprobs + [0.0] * len(marker) if self.request.plan.gives_logprobs else [],
            finish="length" if room <= len(self.request.course.closing) else None,
            turns=True,
        )

    def turn(self) -> None:
        """Begin the next part of the answer."""
        self.base = len(self.tokens)
        self.grammar = self.request.course.answer if self.thought is None else None
        self.handle = None
        self.read = self.length

    def retrace(self) -> None:
        """Find out in which part of the answer the tokens end that were given in an earlier life."""
        for count, token in enumerate(self.tokens, 1):
            if self.thought is None:
                return
            match self.thought.feed([token]):
                case Turn.ANSWERS:
                    self.thought = None
                case Turn.CLOSED:
                    self._retraced(count)
                case Turn.EXHAUSTED if count < len(self.tokens):
                    self._retraced(min(len(self.tokens), count + len(self.request.course.closing)))
                case Turn.OPENED if self.request.course.guided:
                    self.base, self.grammar = count, None

    def _retraced(self, base: int) -> None:
        self.base, self.grammar, self.thought = base, self.request.course.answer, None

    def windows(self, reading: Reading) -> tuple[list[int], list[int]]:
        """Take in a reading, and say which two token sequences must be decoded."""
        tokens = reading.tokens
        self.tokens += tokens
        if reading.finish == "stop" and tokens and self._hides(tokens[-1]):
            tokens = tokens[:-1]
        return self.detokenizer.windows(tokens)

    def gain(self, reading: Reading, before: str, after: str) -> Gained:
        """What the reading comes to, its windows being `before` and `after` as text."""
        finish = reading.finish
        text = self.detokenizer.advance(before, after, last=finish is not None)
        if not self.stops:
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
