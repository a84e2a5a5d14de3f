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
from ovms_llm.companion import Companion
from ovms_llm.intake import Intake
from ovms_llm.loading import load
from ovms_llm.messages import AnyRequest, Delta, Generate, Started, Tokenize, TokenLogprob
from ovms_llm.reading import read_outputs
from ovms_llm.schedule import Schedule
from ovms_llm.sequence import Gained, Job, Reading, Sequence
from ovms_llm.vocabulary import Vocabulary

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
        self._jobs: dict[int, Job] = {}
        self._answers: list[tuple[int, Gain]] = []

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
        job = self._jobs.pop(id, None)
        if job is not None:
            self._drop(job)
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
        return gains

    def close(self) -> None:
        self._jobs.clear()
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
        job, prompt = self._intake.job(id, request)
        if not job.plan.max_tokens:
            self._give_nothing(job)
        elif request.emitted and job.open == 1:
            self._resume(job, prompt, request.emitted)
        else:
            self._start(job, prompt)

    def _start(self, job: Job, prompt: list[int]) -> None:
        leader = Sequence(job, 0, prompt)
        followers = [Sequence(job, index, prompt, leader) for index in range(1, job.plan.sequences)]
        self._schedule.waiting.extend([leader, *followers])
        self._jobs[job.id] = job

    def _give_nothing(self, job: Job) -> None:
        """End all sequences before their first token: only the prompt was asked for."""
        self._jobs[job.id] = job
        for index in range(job.open):
            self._pass_on(Sequence(job, index, []), Gained("", [], "length", None), None, self._answers)

    def _resume(self, job: Job, prompt: list[int], emitted: list[int]) -> None:
        sequence = Sequence(job, 0, prompt)
        skip = job.plan.sampling.skip_special_tokens
        ended = sequence.replay(emitted, lambda lists: self._vocabulary.decode(lists, skip))
        self._jobs[job.id] = job
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
        clock = sequence.job.clock
        clock.admitted = clock.admitted or clock.now()
        ids = np.array([sequence.prompt + sequence.tokens], np.int64)
        config = sequence.job.plan.config(len(sequence.tokens), sequence.index)
        sequence.handle = self._pipeline.add_request(next(self._ids), ov.Tensor(ids), config)

    def _drop(self, job: Job) -> None:
        for sequence in self._schedule.forget(job):
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
        job = self._jobs.pop(sequence.job.id, None)
        if job is None:
            return
        self._drop(job)
        error = RequestError(
            "the KV cache could not hold the request: raise options.cache_size or lower max_tokens", status=503
        )
        gains.append((job.id, error))

    # -- what is given back -----------------------------------------------------------------------

    def _deliver(self, readings: list[Reading], gains: list[tuple[int, Gain]]) -> None:
        by_mode: dict[bool, list[Reading]] = defaultdict(list)
        for reading in readings:
            by_mode[reading.sequence.job.plan.sampling.skip_special_tokens].append(reading)
        for skip, group in by_mode.items():
            windows = [window for reading in group for window in reading.sequence.windows(reading)]
            texts = self._vocabulary.decode(windows, skip)
            for reading, before, after in zip(group, texts[::2], texts[1::2], strict=True):
                self._give(reading, before, after, gains)

    def _give(self, reading: Reading, before: str, after: str, gains: list[tuple[int, Gain]]) -> None:
        sequence = reading.sequence
        if sequence.job.id not in self._jobs:
            return
        gained = sequence.gain(reading, before, after)
        if gained.finish is not None and not reading.over:
            sequence.handle.stop()
            self._schedule.release(sequence)
        self._pass_on(sequence, gained, self._logprobs(reading), gains)

    def _logprobs(self, reading: Reading) -> list[TokenLogprob] | None:
        sequence = reading.sequence
        if sequence.job.plan.ranks:
            sequence.score += sum(reading.logprobs)
        if not sequence.job.plan.sampling.logprobs:
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
        job = sequence.job
        job.clock.first = job.clock.first or job.clock.now()
        if not job.started:
            job.started = True
            gains.append((job.id, Started(job.prompt_tokens, None, job.prompt_text)))
        job.generated += len(gained.tokens)
        delta = Delta(sequence.index, gained.text, gained.tokens, logprobs, gained.finish, gained.stop_reason)
        if job.plan.ranks:
            job.keep(sequence.index, sequence.score, delta)
        else:
            gains.append((job.id, delta))
        if gained.finish is not None:
            job.open -= 1
            if not job.open:
                self._finish(job, gains)

    def _finish(self, job: Job, gains: list[tuple[int, Gain]]) -> None:
        gains.extend((job.id, delta) for delta in job.best())
        if job.timings:
            gains.append((job.id, job.clock.timings(job.generated)))
        gains.append((job.id, DONE))
        del self._jobs[job.id]
