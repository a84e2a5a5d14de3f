"""Text generation: every request of a model in one continuous batch of OpenVINO GenAI."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import count
from typing import Final

import numpy as np
import openvino as ov
import openvino_genai as genai

from ovms_core.engine import DONE, Engine, EngineInfo, Gain, ModelSpec, RequestError
from ovms_llm.engine.companion import Companion
from ovms_llm.engine.intake import Intake
from ovms_llm.engine.reading import read_outputs
from ovms_llm.engine.schedule import Schedule
from ovms_llm.engine.sequence import Gained, Reading, RequestState, Sequence
from ovms_llm.messages import AnyRequest, Delta, Generate, Started, Tokenize, TokenLogprob
from ovms_llm.model.loading import load
from ovms_llm.prompt.vocabulary import Vocabulary

# Requests that wait inside the engine, tokenised already, so that a freed place is taken in the same step.
_QUEUED: Final = 8


class TextGeneration(Engine):
    """A causal language model on GenAI's `ContinuousBatchingPipeline`.

    Every sequence is one GenAI request (only beams share one), so that sequences of one request stream,
    stop and are preempted independently of each other.
    """

    def __init__(self, model: ModelSpec) -> None:
        loaded = load(model)
        self._loaded = loaded
        self._pipeline = loaded.pipeline
        tokenizer = loaded.pipeline.get_tokenizer()
        self._vocabulary = Vocabulary(tokenizer, loaded.vocabulary_size)
        options = loaded.options
        self._ids = count(1)
        self._companion: Companion | None = None
        self._cache = loaded.cache
        if options.deterministic:
            self._companion = Companion(self._pipeline, loaded.cache.block_size, self._ids)
            self._cache = Companion.leaves(loaded.cache)
        self._schedule = Schedule(self._cache, options.max_num_seqs, shares_prompts=options.enable_prefix_caching)
        self._intake = Intake(loaded, tokenizer, self._vocabulary, self._schedule)
        self._states: dict[int, RequestState] = {}
        self._answers: list[tuple[int, Gain]] = []
        self._progressed = False

    def info(self) -> EngineInfo:
        loaded = self._loaded
        cache = self._cache
        return EngineInfo(
            slots=loaded.options.max_num_seqs + _QUEUED,
            device=loaded.device,
            max_model_len=loaded.max_model_len,
            precision=loaded.precision,
            details={
                "title": loaded.folder.title,
                "cache_size_gb": round(cache.bytes / 2**30, 3),
                "cache_tokens": cache.tokens,
                "block_size": cache.block_size,
                "vocabulary_size": self._vocabulary.size,
                "end_tokens": self._intake.end_tokens,
            },
            warnings=list(loaded.folder.warnings),
        )

    def add(self, id: int, request: AnyRequest) -> None:
        if isinstance(request, Generate):
            self._add_generate(id, request)
        elif isinstance(request, Tokenize):
            self._answers += [(id, self._intake.tokenized(request)), (id, DONE)]
        else:
            self._answers += [(id, self._intake.detokenized(request)), (id, DONE)]

    def cancel(self, id: int) -> None:
        self._answers = [answer for answer in self._answers if answer[0] != id]
        state = self._states.pop(id, None)
        if state is not None:
            self._drop(state)
            self._drain()

    def step(self) -> Iterable[tuple[int, Gain]]:
        gains, self._answers = self._answers, []
        self._make_room()
        if self._schedule.busy:
            self._pipeline.step()
            self._schedule.stepped()
            readings = self._read(gains)
            self._deliver(readings, gains)
            self._drain()
            self._progressed = True
        self._progressed = self._progressed or bool(gains)
        return gains

    def progressed(self) -> bool:
        """Whether GenAI has computed something, or an answer was given, since the last call."""
        progressed, self._progressed = self._progressed, False
        return progressed

    def close(self) -> None:
        self._states.clear()
        del self._pipeline

    @property
    def preemptions(self) -> int:
        """How often a sequence was put back because the cache was full."""
        return self._schedule.preemptions

    def cache_usage(self) -> float:
        """Percent of the KV cache that requests hold, as GenAI counts it."""
        self._pipeline.step()  # the metrics are those of the latest step
        usage: float = self._pipeline.get_metrics().cache_usage
        return usage

    # -- requests ---------------------------------------------------------------------------------

    def _add_generate(self, id: int, request: Generate) -> None:
        state, prompt = self._intake.state(id, request)
        if not state.plan.max_tokens:
            self._give_nothing(state)
        elif request.emitted and state.open == 1:
            self._resume(state, prompt, request.emitted)
        else:
            self._start(state, prompt)

    def _start(self, state: RequestState, prompt: list[int]) -> None:
        leader = Sequence(state, 0, prompt)
        followers = [Sequence(state, index, prompt, leader) for index in range(1, state.plan.sequences)]
        self._schedule.waiting.extend([leader, *followers])
        self._states[state.id] = state

    def _give_nothing(self, state: RequestState) -> None:
        """End all sequences before their first token: only the prompt was asked for."""
        self._states[state.id] = state
        for index in range(state.open):
            self._pass_on(Sequence(state, index, []), Gained("", [], "length", None), None, self._answers)

    def _resume(self, state: RequestState, prompt: list[int], emitted: list[int]) -> None:
        sequence = Sequence(state, 0, prompt)
        skip = state.plan.sampling.skip_special_tokens
        ended = sequence.replay(emitted, lambda lists: self._vocabulary.decode(lists, skip))
        self._states[state.id] = state
        if ended is None:
            self._schedule.waiting.append(sequence)
        else:
            self._pass_on(sequence, ended, None, self._answers)

    # -- the pipeline -----------------------------------------------------------------------------

    def _make_room(self) -> None:
        for sequence in self._schedule.preempt():
            sequence.handle.cancel()
            sequence.handle = None
        running = self._schedule.running
        if self._companion is not None and (running or self._schedule.waiting):
            self._companion.join(prompts_wait=not all(sequence.tokens for sequence in running))
        if self._schedule.waiting:
            for sequence in self._schedule.admit():
                self._submit(sequence)

    def _submit(self, sequence: Sequence) -> None:
        clock = sequence.request.clock
        clock.admitted = clock.admitted or clock.now()
        ids = np.array([sequence.prompt + sequence.tokens], np.int64)
        config = sequence.request.plan.config(len(sequence.tokens), sequence.index)
        sequence.handle = self._pipeline.add_request(next(self._ids), ov.Tensor(ids), config)

    def _drop(self, state: RequestState) -> None:
        for sequence in self._schedule.forget(state):
            sequence.handle.cancel()

    def _drain(self) -> None:
        """Free the blocks of what was dropped when no further step would."""
        if self._schedule.running:
            return
        left = self._companion is not None and self._companion.leave()
        if left or self._schedule.busy:
            self._pipeline.step()
            self._schedule.stepped()

    def _read(self, gains: list[tuple[int, Gain]]) -> list[Reading]:
        readings: list[Reading] = []
        for sequence in list(self._schedule.running):
            outputs = sequence.handle.read() if sequence.handle.can_read() else {}
            if outputs:
                fresh = read_outputs(sequence, list(outputs.values()))
                if fresh[0].over:
                    self._schedule.ended(sequence)
                readings += fresh
            elif sequence.handle.get_status() == genai.GenerationStatus.IGNORED:
                self._fail(sequence, gains)
        return readings

    def _fail(self, sequence: Sequence, gains: list[tuple[int, Gain]]) -> None:
        self._schedule.ended(sequence)
        state = self._states.pop(sequence.request.id, None)
        if state is None:
            return
        self._drop(state)
        error = RequestError(
            "the KV cache could not hold the request: raise options.cache_size or lower max_tokens", status=503
        )
        gains.append((state.id, error))

    # -- what is given back -----------------------------------------------------------------------

    def _deliver(self, readings: list[Reading], gains: list[tuple[int, Gain]]) -> None:
        by_mode: dict[bool, list[Reading]] = defaultdict(list)
        for reading in readings:
            by_mode[reading.sequence.request.plan.sampling.skip_special_tokens].append(reading)
        for skip, group in by_mode.items():
            windows = [window for reading in group for window in reading.sequence.windows(reading)]
            texts = self._vocabulary.decode(windows, skip)
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
        self._pass_on(sequence, gained, self._logprobs(reading), gains)

    def _logprobs(self, reading: Reading) -> list[TokenLogprob] | None:
        sequence = reading.sequence
        if sequence.request.plan.ranks:
            sequence.score += sum(reading.logprobs)
        if not sequence.request.plan.sampling.logprobs:
            return None
        pairs = zip(reading.tokens, reading.logprobs, strict=True)
        return [self._vocabulary.logprob(token, logprob) for token, logprob in pairs]

    def _pass_on(
        self,
        sequence: Sequence,
        gained: Gained,
        logprobs: list[TokenLogprob] | None,
        gains: list[tuple[int, Gain]],
    ) -> None:
        state = sequence.request
        state.clock.first = state.clock.first or state.clock.now()
        if not state.started:
            state.started = True
            gains.append((state.id, Started(state.prompt_tokens, None, state.prompt_text)))
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
