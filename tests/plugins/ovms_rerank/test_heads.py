"""How outputs become log-odds: causal models, and classifiers that are no rerankers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from numpy.typing import NDArray
from openvino import opset13 as ops
from tests.plugins.ovms_rerank.asking import scored
from tests.plugins.ovms_rerank.conftest import Load
from tests.plugins.ovms_rerank.tokenizers_of_families import qwen

from ovms_core.engine import LoadError
from ovms_openvino.tokens import TextTokenizer
from ovms_rerank.engine.heads import log_odds
from ovms_rerank.engine.layouts import YesNoLayout

QUERY = "What is the capital of France?"
DOCUMENTS = ["Paris is the capital.", "Rinse the rice, add water and " * 9, "no", "Paris is the capital."]
WIDTH = 16


class Decoder:
    """A causal model of one layer: each token's state is a squashed mean of all tokens so far and their places."""

    def __init__(self, vocabulary: int) -> None:
        draw = np.random.default_rng(3)
        self.table = draw.normal(0, 1, (vocabulary, WIDTH)).astype(np.float32)
        self.places = draw.normal(0, 0.2, (512, WIDTH)).astype(np.float32)
        self.head = draw.normal(0, 1, (vocabulary, WIDTH)).astype(np.float32)

    def logits(self, ids: tuple[int, ...]) -> NDArray[np.float32]:
        """The next token's logits after `ids`, in numpy."""
        states = self.table[list(ids)] + self.places[: len(ids)]
        logits: NDArray[np.float32] = self.head @ np.tanh(states.mean(axis=0))
        return logits

    def graph(self, ending: str) -> ov.Model:
        """The same as OpenVINO has it, with all positions' logits."""
        ids, mask, places = (_input(name) for name in ("input_ids", "attention_mask", "position_ids"))
        zero, one = ops.constant(0), ops.constant(1)
        states = ops.add(ops.gather(self.table, ids, zero), ops.gather(self.places, places, zero))
        present = ops.unsqueeze(ops.convert(mask, "f32"), ops.constant(-1))
        mean = ops.divide(ops.cum_sum(ops.multiply(states, present), one), ops.cum_sum(present, one))
        logits = ops.matmul(ops.tanh(mean), ops.constant(self.head), False, True)
        if ending == "converted":
            logits = ops.convert(ops.convert(logits, "f64"), "f32")
        elif ending == "scaled":
            logits = ops.multiply(logits, ops.constant(np.float32(1)))
        elif ending == "cut":
            begin, end, one = (ops.constant(np.array([number], np.int64)) for number in (-1, 2**63 - 1, 1))
            logits = ops.slice(logits, begin, end, one, one)
        logits.output(0).set_names({"logits"})
        return ov.Model([logits], [ids, mask, places])


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(qwen().get_vocab_size())


def save(folder: Path, model: ov.Model, **config: Any) -> Path:
    folder.mkdir(parents=True)
    ov.save_model(model, folder / "openvino_model.xml", compress_to_fp16=False)
    qwen().save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen3", **config}))
    return folder


@pytest.mark.parametrize("ending", ["plain", "converted", "scaled"])
def test_a_causal_model_is_asked_for_yes_or_no(tmp_path: Path, load: Load, decoder: Decoder, ending: str) -> None:
    folder = save(tmp_path / "Qwen3-Reranker-0.1B", decoder.graph(ending), architectures=["Qwen3ForCausalLM"])
    engine = load(folder)
    tokenizer = qwen()
    sequences = YesNoLayout(TextTokenizer(qwen())).join(QUERY, DOCUMENTS, None)
    expected = []
    for sequence in sequences:
        logits = decoder.logits(sequence.ids)
        expected.append(logits[tokenizer.token_to_id("yes")] - logits[tokenizer.token_to_id("no")])
    assert engine.info().details["head"] == "yes_no"
    assert scored(engine, QUERY, DOCUMENTS).log_odds == pytest.approx(expected, abs=1e-3)


def test_the_files_of_sentence_transformers_say_which_tokens_answer(
    tmp_path: Path, load: Load, decoder: Decoder
) -> None:
    folder = save(tmp_path / "judge", decoder.graph("plain"), architectures=["Qwen3ForCausalLM"])
    (folder / "1_LogitScore").mkdir()
    (folder / "1_LogitScore" / "config.json").write_text('{"true_token_id": 7, "false_token_id": 5}')
    (sequence,) = YesNoLayout(TextTokenizer(qwen())).join(QUERY, DOCUMENTS[:1], None)
    logits = decoder.logits(sequence.ids)
    assert scored(load(folder), QUERY, DOCUMENTS[:1]).log_odds == pytest.approx([logits[7] - logits[5]], abs=1e-3)


def test_an_instruction_changes_a_causal_models_scores(tmp_path: Path, load: Load, decoder: Decoder) -> None:
    engine = load(save(tmp_path / "model", decoder.graph("plain")), head="yes_no")
    plain = scored(engine, QUERY, DOCUMENTS).log_odds
    assert scored(engine, QUERY, DOCUMENTS, instruction="Judge by the colour alone.").log_odds != plain


def test_a_causal_models_logits_are_computed_for_the_last_token_only(decoder: Decoder) -> None:
    from ovms_rerank.engine.heads import YesNo

    model = decoder.graph("plain")
    YesNo(no=1, yes=2).prepare(model)
    (projection,) = [op for op in model.get_ordered_ops() if op.get_type_name() == "MatMul"]
    assert projection.get_output_partial_shape(0)[1].get_length() == 1
    assert model.outputs[0].get_partial_shape()[-1].get_length() == 2


def test_a_model_that_was_cut_down_to_the_last_position_is_a_load_error(
    tmp_path: Path, load: Load, decoder: Decoder
) -> None:
    with pytest.raises(LoadError, match="last position only"):
        load(save(tmp_path / "model", decoder.graph("cut"), architectures=["Qwen3ForCausalLM"]), head="yes_no")


def test_yes_no_of_a_classifier_is_a_load_error(load: Load, tiny_reranker: Path) -> None:
    with pytest.raises(LoadError, match=r"yes_no head needs|'yes' and 'no'"):
        load(tiny_reranker, head="yes_no")


def test_a_classifier_with_many_labels_is_a_load_error(tmp_path: Path, load: Load) -> None:
    folder = save(tmp_path / "model", classifier(7), architectures=["BertForSequenceClassification"], model_type="bert")
    with pytest.raises(LoadError, match="7 outputs"):
        load(folder)


@pytest.mark.parametrize("self_test", ["off", "warn"])
def test_an_embedding_model_is_a_load_error_that_names_its_task(tmp_path: Path, load: Load, self_test: str) -> None:
    folder = save(tmp_path / "model", embedder(), architectures=["BertModel"], model_type="bert")
    with pytest.raises(LoadError, match=r"no relevance score.*last_hidden_state.*'task: embeddings'"):
        load(folder, self_test=self_test)


def test_an_embedding_model_that_pools_by_itself_is_one_too(tmp_path: Path, load: Load) -> None:
    folder = save(tmp_path / "model", classifier(384), architectures=["BertModel"], model_type="bert")
    with pytest.raises(LoadError, match=r"384 outputs.*'task: embeddings'"):
        load(folder)


def test_a_model_that_gives_nan_is_degraded_or_refused_as_the_operator_wants(tmp_path: Path, load: Load) -> None:
    folder = save(tmp_path / "model", classifier(1, np.nan), model_type="bert")
    assert "NaN" in (load(folder).info().degraded or "")
    assert load(folder, self_test="off").info().degraded is None
    with pytest.raises(LoadError, match="NaN"):
        load(folder, self_test="strict")


def test_a_model_that_reads_its_padding_is_degraded(tmp_path: Path, load: Load) -> None:
    info = load(save(tmp_path / "model", classifier(1), model_type="bert")).info()
    assert "padded in a batch" in (info.degraded or "")
    assert info.details["self_test"]["result"] == "failed"


def test_a_model_whose_files_ask_for_what_is_not_done_is_degraded(tmp_path: Path, load: Load) -> None:
    folder = save(tmp_path / "model", classifier(1), model_type="bert")
    (folder / "sentence_bert_config.json").write_text('{"query_length": 32}')
    degraded = load(folder, self_test="off").info().degraded or ""
    assert "query_length of sentence_bert_config.json" in degraded


def test_a_document_without_text_is_last_however_low_the_others_score(tmp_path: Path, load: Load) -> None:
    engine = load(save(tmp_path / "model", classifier(1, factor=-1000.0), model_type="bert"))
    low, nothing = scored(engine, QUERY, ["a fox", ""]).log_odds
    assert nothing < low < -1000
    assert np.isfinite(nothing)


def test_the_sigmoid_of_the_difference_is_the_softmax_of_the_second() -> None:
    logits = np.array([[1.0, 3.0], [40.0, -40.0]], np.float32)
    assert log_odds(logits) == [2.0, -80.0]
    assert log_odds(logits[:, :1]) == [1.0, 40.0]


def classifier(labels: int, factor: float = 1.0) -> ov.Model:
    """A classifier that counts all its tokens, padding too."""
    ids, mask = _input("input_ids"), _input("attention_mask")
    zeros = ops.multiply(ops.convert(ops.multiply(ids, mask), "f32"), ops.constant(np.float32(0)))
    count = ops.reduce_sum(ops.add(zeros, ops.constant(np.float32(1))), ops.constant(1), keep_dims=True)
    logits = ops.multiply(count, ops.constant(np.full((1, labels), factor, np.float32)))
    logits.output(0).set_names({"logits"})
    return ov.Model([logits], [ids, mask])


def embedder() -> ov.Model:
    """A model that gives each token's id as its vector."""
    ids, mask = _input("input_ids"), _input("attention_mask")
    vectors = ops.unsqueeze(ops.convert(ops.multiply(ids, mask), "f32"), ops.constant(2))
    vectors.output(0).set_names({"last_hidden_state"})
    return ov.Model([vectors], [ids, mask])


def _input(name: str) -> ov.Node:
    parameter = ops.parameter([-1, -1], np.int64)
    parameter.output(0).set_names({name})
    return parameter
