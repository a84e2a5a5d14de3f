"""The engine, against references that share no code with it."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.plugins.ovms_rerank.asking import ask, refused, scored
from tests.plugins.ovms_rerank.conftest import Load

from ovms_core.engine import LoadError, RequestError
from ovms_openvino.tokens import TextTokenizer, TokenSequence
from ovms_rerank.engine.layouts import PairLayout
from ovms_rerank.engine.reranking import Reranker
from ovms_rerank.http.ranking import sigmoid
from ovms_rerank.messages import Score

DATA = Path(__file__).parent / "data"
QUERY = "What is the capital of France?"
PARIS = "Paris is the capital and largest city of France."
BERLIN = "Berlin is the capital of Germany."


def pairs_of(file: str) -> list[dict[str, Any]]:
    pairs: list[dict[str, Any]] = json.loads((DATA / file).read_text(encoding="utf-8"))["pairs"]
    return pairs


def pairwise(pairs: list[dict[str, Any]]) -> Score:
    return Score(queries=[pair["query"] for pair in pairs], documents=[pair["document"] for pair in pairs])


def random_documents(count: int, seed: int = 1) -> list[str]:
    words = "paris france capital city rice water spider legs python list sort image light of the is a"
    draw = random.Random(seed)
    return [
        " ".join(draw.choices(words.split(), k=draw.choice((3, 8, 20, 60, 110)))) + f" {number}"
        for number in range(count)
    ]


# -- numbers


def test_scores_of_one_logit_equal_those_of_onnxruntime(engine: Reranker) -> None:
    pairs = pairs_of("tiny-reranker.json")
    (answer,) = ask(engine, pairwise(pairs))
    assert answer.log_odds == pytest.approx([pair["logits"][0] for pair in pairs], abs=1e-3)


def test_scores_of_two_logits_equal_the_softmax_of_those_of_onnxruntime(load: Load, two_labels: Path) -> None:
    pairs = pairs_of("two-labels/reference.json")
    (answer,) = ask(load(two_labels), pairwise(pairs))
    exponents = [np.exp(pair["logits"]) for pair in pairs]
    expected = [float(exponent[1] / exponent.sum()) for exponent in exponents]
    assert [sigmoid(odds) for odds in answer.log_odds] == pytest.approx(expected, abs=1e-4)


def test_scores_equal_those_of_openvino_genai(engine: Reranker, tiny_reranker: Path) -> None:
    genai = pytest.importorskip("openvino_genai")
    documents = random_documents(20)
    exact = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
    pipeline = genai.TextRerankPipeline(str(tiny_reranker), "CPU", top_n=len(documents), **exact)
    expected = dict(pipeline.rerank(QUERY, documents))
    ours = [sigmoid(odds) for odds in scored(engine, QUERY, documents).log_odds]
    assert ours == pytest.approx([expected[index] for index in range(len(documents))], abs=1e-3)


def test_a_score_does_not_depend_on_its_neighbours(engine: Reranker) -> None:
    documents = random_documents(60)
    together = scored(engine, QUERY, documents).log_odds
    alone = [scored(engine, QUERY, [document]).log_odds[0] for document in documents]
    assert together == pytest.approx(alone, abs=1e-4)


def test_requests_in_flight_together_get_the_scores_that_they_get_alone(engine: Reranker) -> None:
    requests = [Score(queries=[text], documents=random_documents(5, seed)) for seed, text in enumerate((QUERY, BERLIN))]
    alone = [ask(engine, request)[0] for request in requests]
    together = ask(engine, *requests)
    for one, other in zip(alone, together, strict=True):
        assert one.log_odds == pytest.approx(other.log_odds, abs=1e-4)
        assert (one.chunks, one.prompt_tokens) == (other.chunks, other.prompt_tokens)


def test_equal_documents_tie_to_the_last_bit_however_far_apart(engine: Reranker) -> None:
    answer = scored(engine, QUERY, [PARIS, *random_documents(200), PARIS])
    assert answer.log_odds[0] == answer.log_odds[-1]
    assert answer.chunks == 202


def test_tokens_are_counted_with_the_query_and_the_special_ones(engine: Reranker, tiny_reranker: Path) -> None:
    tokenizer = TextTokenizer.load(tiny_reranker)
    expected = sum(len(sequence.ids) for sequence in tokenizer.encode_pairs([(QUERY, PARIS), (QUERY, BERLIN)]))
    assert scored(engine, QUERY, [PARIS, BERLIN]).prompt_tokens == expected


def test_pairs_have_their_own_queries(engine: Reranker) -> None:
    (answer,) = ask(engine, Score(queries=[QUERY, "capital of Germany"], documents=[PARIS, BERLIN]))
    first = scored(engine, QUERY, [PARIS]).log_odds + scored(engine, "capital of Germany", [BERLIN]).log_odds
    assert answer.log_odds == pytest.approx(first, abs=1e-4)


# -- documents without text


def test_a_document_without_text_is_worth_less_than_any_other_and_costs_nothing(engine: Reranker) -> None:
    alone = scored(engine, QUERY, [BERLIN, PARIS])
    answer = scored(engine, QUERY, ["", BERLIN, " \n", PARIS])
    assert answer.log_odds[1::2] == pytest.approx(alone.log_odds, abs=1e-4)
    assert answer.log_odds[0] == answer.log_odds[2] < min(alone.log_odds)
    assert (sigmoid(answer.log_odds[0]), math.isfinite(answer.log_odds[0])) == (0, True)
    assert (answer.chunks, answer.prompt_tokens) == (alone.chunks, alone.prompt_tokens)


def test_nothing_but_documents_without_text_is_answered(engine: Reranker) -> None:
    answer = scored(engine, QUERY, ["", " "])
    assert (len(answer.log_odds), answer.chunks, answer.prompt_tokens) == (2, 0, 0)


def test_a_query_of_white_space_is_scored(engine: Reranker) -> None:
    assert math.isfinite(scored(engine, " \n", [PARIS]).log_odds[0])


# -- long documents


def test_a_long_document_scores_as_its_best_chunk(engine: Reranker) -> None:
    filler = "Rinse the rice and add water. " * 150
    answer = scored(engine, QUERY, [filler, f"{filler}{PARIS} {filler}"])
    assert answer.chunks > 4
    assert answer.log_odds[1] > answer.log_odds[0] + 1


def test_chunks_stay_within_the_maximum_length(load: Load, tiny_reranker: Path) -> None:
    short = load(tiny_reranker, max_length=48)
    answer = scored(short, QUERY, ["word " * 300])
    assert answer.chunks > 5
    assert answer.prompt_tokens <= 48 * answer.chunks


def test_max_chunks_reads_only_the_beginning(engine: Reranker) -> None:
    document = "rice " * 1200 + PARIS
    every = scored(engine, QUERY, [document])
    first = scored(engine, QUERY, [document], max_chunks=1)
    assert (first.chunks, every.chunks) == (1, 3)
    assert first.log_odds[0] < every.log_odds[0]


def test_max_tokens_reads_only_the_beginning(engine: Reranker) -> None:
    answer = scored(engine, QUERY, [f"{PARIS} {'rice ' * 600}"], max_tokens=10)
    assert answer.chunks == 1
    assert answer.log_odds[0] == pytest.approx(scored(engine, QUERY, [PARIS]).log_odds[0], abs=1e-4)


def test_truncation_keeps_one_end(engine: Reranker) -> None:
    document = f"{PARIS} {'rice ' * 600}{BERLIN}"
    start = scored(engine, QUERY, [document], fit="keep_start")
    end = scored(engine, QUERY, [document], fit="keep_end")
    assert start.chunks == end.chunks == 1
    assert start.log_odds[0] > end.log_odds[0]


def test_truncation_off_refuses_a_long_document_by_its_place(engine: Reranker) -> None:
    error = refused(engine, queries=[QUERY], documents=[PARIS, "rice " * 600], fit="refuse", document_path="texts[{}]")
    assert error.param == "texts[1]"
    assert error.code == "context_length_exceeded"
    assert "600" in error.message


def test_a_query_that_fills_the_context_is_refused_with_both_numbers(engine: Reranker) -> None:
    error = refused(engine, queries=["why " * 600], documents=[PARIS])
    assert error.param == "query"
    assert "603" in error.message
    assert "512" in error.message


def test_one_refused_request_leaves_the_others_alone(engine: Reranker) -> None:
    good = Score(queries=[QUERY], documents=[PARIS])
    bad = Score(queries=["why " * 600], documents=[PARIS])
    first, refusal, last = ask(engine, good, bad, good)
    assert isinstance(refusal, RequestError)
    assert first.log_odds == last.log_odds


@pytest.mark.parametrize(("truncate", "kept"), [(True, "start"), ("end", "start"), ("start", "end")])
def test_the_options_say_what_is_cut_where_a_request_does_not(
    engine: Reranker, load: Load, tiny_reranker: Path, truncate: bool | str, kept: str
) -> None:
    document = f"{PARIS} {'rice ' * 600}{BERLIN}"
    cutting = load(tiny_reranker, truncate=truncate)
    expected = scored(engine, QUERY, [document], fit=f"keep_{kept}")
    assert scored(cutting, QUERY, [document]).log_odds == pytest.approx(expected.log_odds, abs=1e-4)
    assert refused(cutting, queries=[QUERY], documents=[document], fit="refuse").param == "documents[0]"
    assert scored(cutting, QUERY, [document], fit="chunk").chunks == 2


def test_a_query_that_fills_the_context_leaves_half_of_it_where_texts_are_cut(engine: Reranker) -> None:
    answer = scored(engine, "why " * 600, [PARIS, "rice " * 600], fit="keep_start")
    shortened = scored(engine, "why " * 254, [PARIS, "rice " * 600], fit="keep_start")
    assert answer.log_odds == pytest.approx(shortened.log_odds, abs=1e-4)
    assert answer.prompt_tokens == shortened.prompt_tokens <= 512 * 2


def test_a_shorter_pair_can_be_asked_for(engine: Reranker) -> None:
    assert scored(engine, QUERY, ["rice " * 100], fit="keep_start", max_pair_tokens=32).prompt_tokens == 32


# -- refusals


def test_too_many_documents_are_refused_with_both_numbers(load: Load, tiny_reranker: Path) -> None:
    small = load(tiny_reranker, max_items=3)
    with pytest.raises(RequestError, match=r"'texts' has 4 documents, and this model takes 3") as caught:
        small.add(0, Score(queries=[QUERY], documents=[PARIS] * 4, document_path="texts[{}]"))
    assert caught.value.param == "texts"


def test_an_overlong_document_is_refused_before_it_is_tokenised(load: Load, tiny_reranker: Path) -> None:
    small = load(tiny_reranker, max_document_characters=100)
    with pytest.raises(RequestError, match=r"'documents\[1\]' has 101 characters, .* at most 100") as caught:
        small.add(0, Score(queries=[QUERY], documents=[PARIS, "a" * 101]))
    assert caught.value.param == "documents[1]"


def test_many_long_documents_are_all_read(engine: Reranker) -> None:
    documents = [f"{number} {'rice ' * 9000}" for number in range(5)]
    answer = scored(engine, QUERY, [*documents, PARIS], max_chunks=1)
    assert answer.chunks == 6
    assert max(answer.log_odds) == answer.log_odds[5]


def test_a_very_long_document_is_not_tokenised_with_its_query_before_it_is_cut(
    engine: Reranker, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined: list[int] = []
    join = PairLayout.join

    def recorded(self: PairLayout, query: str, texts: Sequence[str], instruction: str | None) -> list[TokenSequence]:
        joined.extend(map(len, texts))
        return join(self, query, texts, instruction)

    monkeypatch.setattr(PairLayout, "join", recorded)
    long = f"{PARIS} {'rice ' * 30_000}"
    assert scored(engine, QUERY, [PARIS, long, BERLIN], max_chunks=2).chunks == 4
    assert max(joined) < 10_000


def test_an_instruction_option_for_a_cross_encoder_is_a_load_error(load: Load, tiny_reranker: Path) -> None:
    with pytest.raises(LoadError, match=r"options\.instruction"):
        load(tiny_reranker, instruction="Be fair")


def test_a_cross_encoder_refuses_an_instruction(engine: Reranker) -> None:
    assert refused(engine, queries=[QUERY], documents=[PARIS], instruction="Be fair").param == "instruction"


def test_a_head_that_the_model_has_not_is_a_load_error(load: Load, tiny_reranker: Path) -> None:
    with pytest.raises(LoadError, match=r"options\.head is 'softmax'"):
        load(tiny_reranker, head="softmax")


# -- self-test


def test_the_self_test_is_in_the_details(engine: Reranker) -> None:
    info = engine.info()
    assert info.details["self_test"]["result"] == "passed"
    assert info.details["head"] == "logit"
    assert info.degraded is None
    assert info.warnings == []
    assert info.max_model_len == 512


def test_a_model_that_prefers_the_irrelevant_is_served_with_a_warning(load: Load, two_labels: Path) -> None:
    info = load(two_labels).info()
    assert info.degraded is None
    assert info.warnings == [] or "irrelevant" in info.warnings[0]


def test_a_cancelled_request_gains_nothing_more(engine: Reranker) -> None:
    engine.add(1, Score(queries=[QUERY], documents=random_documents(100)))
    engine.add(2, Score(queries=[QUERY], documents=[PARIS]))
    engine.cancel(1)
    gained = set()
    while 2 not in gained:
        gained |= {id for id, _ in engine.step()}
    assert gained == {2}
    assert math.isfinite(scored(engine, QUERY, [PARIS]).log_odds[0])
