"""The engine of reranking: scores (query, chunk) pairs of all requests in flight in shared batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from ovms_core.engine import BatchEngine, EngineInfo, LoadError, ModelSpec, RequestError
from ovms_openvino.device import choose_device
from ovms_openvino.encoder import Encoder
from ovms_openvino.limits import encoder_limits, with_streams
from ovms_openvino.tokens import TextTokenizer, TokenSequence
from ovms_rerank.engine.chunks import Cutter, Question, shortened
from ovms_rerank.engine.heads import Classifier, YesNo, log_odds
from ovms_rerank.engine.layouts import Layout, PairLayout, YesNoLayout, answer_tokens
from ovms_rerank.engine.precision import exact_options
from ovms_rerank.engine.profile import Profile
from ovms_rerank.engine.scoring import PORTION_CHARACTERS, Place, Scoring, portions
from ovms_rerank.engine.selftest import SelfTest, self_test
from ovms_rerank.messages import Fit, Score, Scored
from ovms_rerank.task import RerankOptions

SLOTS = 128
_FITS: dict[str | None, Fit] = {None: "chunk", "right": "keep_start", "left": "keep_end"}
"""What happens to long documents, by the side that the options let cut."""


class Reranker(BatchEngine[Scoring, TokenSequence, float]):
    """A cross-encoder, or a causal yes/no reranker, on OpenVINO."""

    def __init__(self, model: ModelSpec) -> None:
        path, device = Path(model.path), choose_device(model.device)
        self._options = options = with_streams(RerankOptions.model_validate(model.options), device, path)
        self._profile = profile = Profile.read(path, options)
        tokenizer = TextTokenizer.load(profile.folder, Path(model.work_dir), lower_case=profile.lower_case)
        self._head = _head(profile, options, tokenizer)
        self._layout = _layout(profile, options, tokenizer)
        limits = encoder_limits(options, device, profile.max_length)
        self._encoder = Encoder(
            path,
            device,
            exact_options(options, device),
            limits.shapes,
            pad_id=profile.pad_id,
            cache_dir=Path(options.cache_dir or model.work_dir),
            prepare=self._head.prepare,
        )
        self._tested = self._self_test()
        super().__init__(limits)

    def info(self) -> EngineInfo:
        details: dict[str, Any] = {"head": self._head.kind, "max_documents": self._options.max_items}
        if self._tested is not None:
            details["self_test"] = self._tested.details()
        warning = self._tested.warning if self._tested else None
        return EngineInfo(
            slots=SLOTS,
            device=self._encoder.device,
            max_model_len=self._profile.max_length,
            precision=self._encoder.precision,
            details=details,
            warnings=[warning] if warning else [],
            degraded=self._degraded(),
        )

    def _degraded(self) -> str | None:
        failure = self._tested.failure if self._tested else None
        unhonoured = "; ".join(self._profile.unhonoured)
        asked = f"The model asks for what is not done: {unhonoured}. Its scores may differ." if unhonoured else None
        return " ".join(filter(None, (failure, asked))) or None

    def add(self, id: int, request: Any) -> None:
        super().add(id, Scoring(self._admitted(request)))

    def split(self, request: Scoring) -> Iterator[TokenSequence]:
        for query, asked in groupby(request.places(), key=lambda place: place.query):
            waiting = list(asked)
            question = self._question(query, request.request, waiting[0].query_path)
            for places in portions(waiting):
                yield from self._read(request, question, places)

    def cost(self, item: TokenSequence) -> int:
        return len(item.ids)

    def run(self, items: Sequence[TokenSequence]) -> list[float]:
        logits, _ = self._encoder.run(items, self._head.output)
        return log_odds(logits)

    def join(self, request: Scoring, results: Sequence[float]) -> Scored:
        return request.scored(results)

    def _read(self, scoring: Scoring, question: Question, places: Sequence[Place]) -> Iterator[TokenSequence]:
        """The sequences of a few documents: one each, or the chunks of one that does not fit."""
        request = scoring.request
        cutter = Cutter(
            self._layout,
            self._fit(request),
            request.max_tokens,
            request.max_chunks,
            overlap=self._options.chunk_overlap,
        )
        if len(places) == 1 and len(places[0].document) > PORTION_CHARACTERS:
            yield from self._cut(scoring, cutter, question, places[0])
            return
        wholes = self._layout.join(question.query, [place.document for place in places], question.instruction)
        for place, whole in zip(places, wholes, strict=True):
            if cutter.fits(question, whole):
                scoring.record(place, whole)
                yield whole
            else:
                yield from self._cut(scoring, cutter, question, place)

    def _cut(self, scoring: Scoring, cutter: Cutter, question: Question, place: Place) -> Iterator[TokenSequence]:
        for sequence in cutter.cut(question, place.document, place.path):
            scoring.record(place, sequence)
            yield sequence

    def _fit(self, request: Score) -> Fit:
        return request.fit or _FITS[self._options.cut_side]

    def _question(self, query: str, request: Score, path: str) -> Question:
        limit = min(self._profile.max_length, request.max_pair_tokens or self._profile.max_length)
        question = Question(query, request.instruction, limit, self._layout.overhead(query, request.instruction))
        if question.room <= 0 and self._fit(request) in ("keep_start", "keep_end"):
            question = self._shortened(question)
        if question.room <= 0:
            raise RequestError(
                f"'{path}' takes {question.overhead} tokens, and the model reads {limit} of query and document "
                "together: shorten the query.",
                param=path,
                code="context_length_exceeded",
            )
        return question

    def _shortened(self, question: Question) -> Question:
        """The question with half of the room for its query and half for documents, as the tokenizers of Hugging Face
        cut pairs (``longest_first``)."""
        query_tokens = len(self._layout.encode(question.query).ids)
        share = (question.limit - question.overhead + query_tokens) // 2
        if share < 1:
            return question
        query = shortened(question.query, share, self._layout)
        overhead = self._layout.overhead(query, question.instruction)
        return Question(query, question.instruction, question.limit, overhead)

    def _admitted(self, request: Score) -> Score:
        most = self._options.max_items
        if len(request.documents) > most:
            path = request.document_path.partition("[")[0]
            message = f"'{path}' has {len(request.documents)} documents, and this model takes {most} at a time."
            raise RequestError(message, param=path, code="too_many_items")
        longest = max(range(len(request.documents)), key=lambda index: len(request.documents[index]))
        characters = len(request.documents[longest])
        if characters > self._options.max_document_characters:
            path = request.document_path.format(longest)
            allowed = f"this model reads documents of at most {self._options.max_document_characters}"
            message = f"'{path}' has {characters} characters, and {allowed}: send it in parts."
            raise RequestError(message, param=path, code="document_too_long")
        return request

    def _self_test(self) -> SelfTest | None:
        if self._options.self_test == "off":
            return None
        tested = self_test(self._layout, self.run)
        if tested.failure and self._options.self_test == "strict":
            raise LoadError(f"{tested.failure} (options.self_test: strict)")
        return tested


def _head(profile: Profile, options: RerankOptions, tokenizer: TextTokenizer) -> Classifier | YesNo:
    if profile.yes_no:
        return YesNo(*(profile.answers or answer_tokens(tokenizer)))
    return Classifier(None if options.head == "auto" else options.head, profile.labels)


def _layout(profile: Profile, options: RerankOptions, tokenizer: TextTokenizer) -> Layout:
    if profile.prompted:
        return YesNoLayout(tokenizer, options.instruction)
    if options.instruction is not None:
        raise LoadError("options.instruction is for causal rerankers, and this model is a cross-encoder: leave it out.")
    return PairLayout(tokenizer)
