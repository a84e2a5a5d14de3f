"""What requests are given: text and tokens, their start and their end."""

from __future__ import annotations

from collections import defaultdict

from ovms_core.engine import DONE, Gain
from ovms_llm.engine.request_state import RequestState
from ovms_llm.engine.schedule import Schedule
from ovms_llm.engine.sequence import Gained, Reading, Sequence
from ovms_llm.messages import Delta, Started, TokenLogprob
from ovms_llm.prompt.vocabulary import Vocabulary


class Delivery:
    """Turns readings into what the requests in `states` gain; takes out of it those that are done."""

    def __init__(self, vocabulary: Vocabulary, schedule: Schedule, states: dict[int, RequestState]) -> None:
        self._vocabulary = vocabulary
        self._schedule = schedule
        self._states = states

    def deliver(self, readings: list[Reading], gains: list[tuple[int, Gain]]) -> None:
        """Give what `readings` come to, as text; sequences that end or turn by it are taken from GenAI."""
        by_mode: dict[tuple[bool, frozenset[int]], list[Reading]] = defaultdict(list)
        for reading in readings:
            request = reading.sequence.request
            by_mode[request.plan.sampling.skip_special_tokens, request.course.visible].append(reading)
        for (skip, visible), group in by_mode.items():
            windows = [window for reading in group for window in reading.sequence.windows(reading)]
            texts = self._vocabulary.decode(windows, skip, visible)
            for reading, before, after in zip(group, texts[::2], texts[1::2], strict=True):
                self._give(reading, before, after, gains)

    def _give(self, reading: Reading, before: str, after: str, gains: list[tuple[int, Gain]]) -> None:
        sequence = reading.sequence
        if sequence.request.id not in self._states:
            return
        gained = sequence.gain(reading, before, after)
        if gained.finish is not None and not reading.over:
            sequence.handle.stop()
            self._schedule.release(sequence)
        self.pass_on(sequence, gained, self._logprobs(reading), gains)
        if reading.turns and gained.finish is None:
            self._turn(sequence, reading)

    def _turn(self, sequence: Sequence, reading: Reading) -> None:
        """Submit `sequence` again, for the next part of its answer."""
        if not reading.over:
            sequence.handle.cancel()
            self._schedule.release(sequence)
        sequence.turn()
        self._schedule.waiting.appendleft(sequence)

    def _logprobs(self, reading: Reading) -> list[TokenLogprob] | None:
        sequence = reading.sequence
        if sequence.request.plan.ranks:
            sequence.score += sum(reading.logprobs)
        if not sequence.request.plan.sampling.logprobs:
            return None
        pairs = zip(reading.tokens, reading.logprobs, strict=True)
        return [self._vocabulary.logprob(token, logprob) for token, logprob in pairs]

    def pass_on(
        self,
        sequence: Sequence,
        gained: Gained,
        logprobs: list[TokenLogprob] | None,
        gains: list[tuple[int, Gain]],
    ) -> None:
        """Give what a sequence has gained, and the end of its request if that was the last."""
        state = sequence.request
        state.clock.first = state.clock.first or state.clock.now()
        if not state.started:
            state.started = True
            gains.append((state.id, Started(state.prompt_tokens, None, state.prompt_text, state.course.channel)))
        state.generated += len(gained.tokens)
        delta = Delta(sequence.index, gained.text, gained.tokens, logprobs, gained.finish, gained.stop_reason)
        if state.plan.ranks:
            state.keep(sequence.index, sequence.score, delta)
        else:
            gains.append((state.id, delta))
        if gained.finish is not None:
            state.open -= 1
            if not state.open:
                self._finish(state, gains)

    def _finish(self, state: RequestState, gains: list[tuple[int, Gain]]) -> None:
        gains.extend((state.id, delta) for delta in state.best())
        if state.timings:
            gains.append((state.id, state.clock.timings(state.generated)))
        gains.append((state.id, DONE))
        del self._states[state.id]
