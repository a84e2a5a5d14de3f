"""Text generation: every request of a model in one continuous batch of OpenVINO GenAI."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import count
from typing import Final

import msgspec
import numpy as np
import openvino as ov
import openvino_genai as genai

from ovms_core.engine import DONE, Engine, EngineInfo, Gain, ModelSpec, RequestError
from ovms_llm.engine.companion import Companion
from ovms_llm.engine.compiler import Compiler
from ovms_llm.engine.course import answers_of
from ovms_llm.engine.delivery import Delivery
from ovms_llm.engine.grammar_gate import GrammarGate
from ovms_llm.engine.intake import FREE, Intake
from ovms_llm.engine.reading import read_outputs
from ovms_llm.engine.request_state import RequestState
from ovms_llm.engine.schedule import Schedule
from ovms_llm.engine.sequence import Gained, Reading, Sequence
from ovms_llm.messages import AnyRequest, Generate, Tokenize
from ovms_llm.model.loading import load
from ovms_llm.prompt.vocabulary import Vocabulary

# Requests that wait inside the engine, tokenised already, so that a freed place is taken in the same step.
_QUEUED: Final = 8
# A request that is cancelled while its prompt is read is read on to the end of a portion.
_STEPS_OF_A_PORTION: Final = 4
_RUNNING: Final = genai.GenerationStatus.RUNNING
_TOO_LARGE: Final = "the KV cache could not hold the request: raise options.cache_size or lower max_tokens"
_DIFFERS: Final = (
    "the engine was interrupted, and the answer, begun anew under its grammar, is another than the one that was sent: "
    "ask again"
)


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
        caches = options.enable_prefix_caching
        cuts = caches and options.dynamic_split_fuse
        self._portion = _STEPS_OF_A_PORTION * options.max_num_batched_tokens if cuts else None
        self._schedule = Schedule(self._cache, options.max_num_seqs, shares_prompts=caches, cuts_prompts=cuts)
        self._intake = Intake(loaded, tokenizer, self._vocabulary, self._schedule)
        self._compiler = Compiler(
            tokenizer,
            self._vocabulary.size,
            timeout=options.grammar_timeout,
            most_bytes=options.grammar_cache_mb << 20,
        )
        self._gate = GrammarGate(self._compiler)
        self._forced: list[Reading] = []
        self._states: dict[int, RequestState] = {}
        self._delivery = Delivery(self._vocabulary, self._schedule, self._states)
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
                "speech": msgspec.to_builtins(self._intake.speech),
                "grammar_limits": msgspec.to_builtins(loaded.options.grammar_limits),
                "guided_tools": loaded.options.guided_tools,
            },
            warnings=list(loaded.folder.warnings),
            remark=f"tool format {self._intake.speech.format}: {self._intake.speech.reason}",
        )

    def needs_preparation(self, request: AnyRequest) -> bool:
        """Only a request with a grammar that has not been compiled yet."""
        if not isinstance(request, Generate) or request.guide is None:
            return False
        return not any(map(self._compiler.knows, answers_of(request.guide, request.thinking)))

    def prepare(self, request: AnyRequest) -> AnyRequest:
        """Compile the grammars of a request. Raises `RequestError` for one that is bad, or takes too long."""
        if isinstance(request, Generate) and request.guide is not None:
            for grammar in self._intake.grammars(request):
                self._compiler.wait(grammar, request.guide.param)
        return request

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
        self._make_room(gains)
        if self._forced:
            self._delivery.deliver(self._take_forced(), gains)
        if self._schedule.busy:
            self._advance()
            readings = self._read(gains)
            self._delivery.deliver(readings, gains)
            self._drain()
            self._progressed = True
        elif not gains:
            self._gate.wait(self._schedule.waiting)
        self._progressed = self._progressed or bool(gains)
        return gains

    def progressed(self) -> bool:
        """Whether GenAI has computed something, or an answer was given, since the last call."""
        progressed, self._progressed = self._progressed, False
        return progressed

    def in_flight(self) -> Collection[int]:
        return {*self._states, *(id for id, _ in self._answers)}

    def close(self) -> None:
        self._states.clear()
        self._compiler.close()
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
        leader = self._sequence(state, 0, prompt)
        followers = [self._sequence(state, index, prompt, leader) for index in range(1, state.plan.sequences)]
        self._states[state.id] = state
        self._enqueue([leader, *followers])

    def _sequence(self, state: RequestState, index: int, prompt: list[int], leader: Sequence | None = None) -> Sequence:
        thought = state.course.thought(lambda ids: self._vocabulary.decode([ids], False)[0])
        return Sequence(state, index, prompt, leader, thought)

    def _enqueue(self, sequences: list[Sequence]) -> None:
        """Let `sequences` wait for their turn; a thought for which there is no budget is ended first."""
        for sequence in sequences:
            if sequence.thought is not None and sequence.thought.exhausted:
                self._forced.append(sequence.closed(Reading(sequence, [], [], None, over=True)))
            else:
                self._schedule.waiting.append(sequence)

    def _give_nothing(self, state: RequestState) -> None:
        """End all sequences before their first token: only the prompt was asked for."""
        self._states[state.id] = state
        for index in range(state.open):
            self._delivery.pass_on(Sequence(state, index, []), Gained("", [], "length", None), None, self._answers)

    def _resume(self, state: RequestState, prompt: list[int], emitted: list[int]) -> None:
        sequence = self._sequence(state, 0, prompt)
        skip, visible = state.plan.sampling.skip_special_tokens, state.course.visible
        ended = sequence.replay(emitted, lambda lists: self._vocabulary.decode(lists, skip, visible))
        self._states[state.id] = state
        if ended is None:
            sequence.retrace()
            self._enqueue([sequence])
        else:
            self._delivery.pass_on(sequence, ended, None, self._answers)

    # -- the pipeline -----------------------------------------------------------------------------

    def _take_forced(self) -> list[Reading]:
        forced, self._forced = self._forced, []
        return forced

    def _make_room(self, gains: list[tuple[int, Gain]]) -> None:
        for sequence in self._schedule.preempt():
            sequence.handle.cancel()
            sequence.handle = None
        if self._schedule.running or self._schedule.waiting:
            self._accompany()
        if self._schedule.waiting:
            for sequence in self._schedule.admit(self._gate.admits):
                self._submit(sequence)
        for state, error in self._gate.refused():
            self._fail(state, error, gains)

    def _accompany(self) -> None:
        """See to it that a deterministic engine's next step is larger than one token."""
        if self._companion is not None:
            schedule = self._schedule
            reads = schedule.leaving is not None or not all(sequence.tokens for sequence in schedule.running)
            self._companion.join(prompts_wait=reads)

    def _submit(self, sequence: Sequence) -> None:
        clock = sequence.request.clock
        clock.admitted = clock.admitted or clock.now()
        tokens, config = sequence.submission(self._portion)
        sequence.number, sequence.unread = next(self._ids), True
        sequence.handle = self._pipeline.add_request(sequence.number, ov.Tensor(np.array([tokens], np.int64)), config)

    def _advance(self) -> None:
        """Let GenAI make a step."""
        self._pipeline.step()
        self._schedule.stepped()
        leaving = self._schedule.leaving
        if leaving is not None and (leaving.handle.can_read() or leaving.handle.get_status() != _RUNNING):
            leaving.handle.cancel()
            self._schedule.left()

    def _drop(self, state: RequestState) -> None:
        for sequence in self._schedule.forget(state):
            sequence.handle.cancel()

    def _drain(self) -> None:
        """Free the blocks of what was dropped when no further step would."""
        if self._schedule.running:
            return
        while self._schedule.leaving is not None:
            self._accompany()
            self._advance()
        left = self._companion is not None and self._companion.leave()
        if left or self._schedule.busy:
            self._advance()

    def _read(self, gains: list[tuple[int, Gain]]) -> list[Reading]:
        readings: list[Reading] = []
        for sequence in list(self._schedule.running):
            if sequence.request.id not in self._states:
                continue
            outputs = sequence.handle.read() if sequence.handle.can_read() else {}
            sequence.unread = sequence.unread and not outputs
            if outputs and sequence.partial:
                self._submit(sequence)
            elif outputs:
                fresh = read_outputs(sequence, list(outputs.values()))
                if fresh[0].over:
                    self._schedule.ended(sequence)
                readings += fresh if sequence.request.course is FREE else self._guide(sequence, fresh, gains)
            elif sequence.handle.get_status() == genai.GenerationStatus.IGNORED:
                self._schedule.ended(sequence)
                self._fail(sequence.request, RequestError(_TOO_LARGE, status=503), gains)
        return readings

    def _guide(self, sequence: Sequence, readings: list[Reading], gains: list[tuple[int, Gain]]) -> list[Reading]:
        """What `readings` come to for a sequence that follows a grammar or thinks."""
        sequence.pin = None
        if sequence.width > 1:
            return readings
        reading = sequence.confirmed(readings[0]) if sequence.expected else readings[0]
        if reading is None:
            self._fail(sequence.request, RequestError(_DIFFERS, status=500, code="cannot_resume"), gains)
            return []
        return [sequence.considered(reading)] if reading.tokens or reading.finish else []

    def _fail(self, state: RequestState, error: RequestError, gains: list[tuple[int, Gain]]) -> None:
        if self._states.pop(state.id, None) is not None:
            self._drop(state)
            gains.append((state.id, error))
