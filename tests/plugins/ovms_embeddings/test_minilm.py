"""The starter model against sentence-transformers' own vectors, and the promises every model keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.plugins.ovms_embeddings.asking import ask, cosines, embed, vectors
from tests.plugins.ovms_embeddings.conftest import Load

from ovms_core.engine import RequestError
from ovms_embeddings.engine.embedding import TextEmbeddings
from ovms_embeddings.messages import Embed

pytestmark = pytest.mark.real

DATA = Path(__file__).parents[2] / "data"
NEIGHBOUR = "Completely unrelated words about railway timetables, oysters and the price of tin. " * 8


def reference(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DATA / name).read_text(encoding="utf-8"))
    return document


def test_vectors_of_int8_weights_equal_those_of_sentence_transformers_in_fp32(minilm: TextEmbeddings) -> None:
    expected = reference("all-minilm-l6-v2.json")
    got = embed(minilm, *expected["texts"], truncate=True)
    assert cosines(got, np.array(expected["vectors"])).min() >= 0.998


def test_vectors_of_fp32_weights_equal_those_of_onnxruntime(load: Load, fp32_path: Path) -> None:
    expected = reference("paraphrase-minilm-l3.json")
    got = embed(load(fp32_path, max_length=256), *expected["texts"], truncate=True)
    assert cosines(got, np.array(expected["vectors"])).min() >= 0.9999


def test_a_model_that_says_nothing_is_pooled_by_mean_and_says_so(load: Load, fp32_path: Path) -> None:
    info = load(fp32_path).info()
    assert info.details["pooling"] == "mean"
    assert info.max_model_len == 512
    assert [warning.rpartition(": ")[2] for warning in info.warnings[:2]] == [
        "set options.pooling.",
        "set options.normalize.",
    ]


def test_a_vector_does_not_depend_on_its_neighbours(minilm: TextEmbeddings) -> None:
    texts = ["A man is eating food.", "short", "It rained for three days before the bridge gave way."]
    alone = np.concatenate([embed(minilm, text) for text in texts])
    crowded = embed(minilm, *texts, *(f"{index} {NEIGHBOUR}" for index in range(9)))[: len(texts)]
    assert cosines(alone, crowded).min() >= 1 - 1e-4


@pytest.mark.parametrize("name", ["sentence_bert_config.json", "sentence_xlm-roberta_config.json"])
def test_a_model_that_wants_lower_case_gets_it(
    minilm: TextEmbeddings, load: Load, minilm_path: Path, tmp_path: Path, name: str
) -> None:
    for file in minilm_path.iterdir():
        (tmp_path / file.name).symlink_to(file)
    for replaced in ("tokenizer.json", "tokenizer_config.json", "sentence_bert_config.json"):
        (tmp_path / replaced).unlink(missing_ok=True)
    tokenizer = json.loads((minilm_path / "tokenizer.json").read_text())
    cased = tokenizer | {"normalizer": tokenizer["normalizer"] | {"lowercase": False}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(cased))
    (tmp_path / name).write_text(json.dumps({"max_seq_length": 256, "do_lower_case": True}))
    texts = ["TAXES ARE DUE IN APRIL.", "Ein Tag in WIEN"]
    assert cosines(embed(load(tmp_path), *texts), embed(minilm, *texts)).min() >= 1 - 1e-4


def test_the_model_says_what_it_is(minilm: TextEmbeddings) -> None:
    info = minilm.info()
    assert (info.dimensions, info.max_model_len, info.device, info.precision) == (384, 256, "CPU", "f32")
    assert (info.details["pooling"], info.details["self_test"]) == ("mean", "passed")
    assert (info.warnings, info.degraded) == ([], None)


def test_tokens_are_counted_for_each_input_even_where_equal_ones_are_computed_once(minilm: TextEmbeddings) -> None:
    (one,) = ask(minilm, Embed(inputs=["hello world"]))
    (three,) = ask(minilm, Embed(inputs=["hello world"] * 3))
    assert (one.prompt_tokens, three.prompt_tokens) == (4, 12)


def test_token_ids_give_the_vector_of_their_text(minilm: TextEmbeddings) -> None:
    by_text, by_ids = embed(minilm, "hello world", [101, 7592, 2088, 102])
    assert cosines(by_text[None], by_ids[None])[0] == pytest.approx(1)


def test_vectors_have_length_one_unless_the_request_says_otherwise(minilm: TextEmbeddings) -> None:
    assert np.linalg.norm(embed(minilm, "hello")[0]) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(embed(minilm, "hello", normalize=False)[0]) != pytest.approx(1, abs=1e-2)


def test_fewer_dimensions_are_the_first_ones_at_length_one(minilm: TextEmbeddings) -> None:
    whole, cut = embed(minilm, "hello")[0], embed(minilm, "hello", dimensions=64)[0]
    assert cut.shape == (64,)
    assert np.allclose(cut, whole[:64] / np.linalg.norm(whole[:64]), atol=1e-6)


def test_one_batch_serves_requests_that_want_different_things(minilm: TextEmbeddings) -> None:
    whole, cut, raw = ask(
        minilm,
        Embed(inputs=["hello"]),
        Embed(inputs=["hello"], dimensions=8),
        Embed(inputs=["hello"], normalize=False),
    )
    assert [vectors(answer).shape for answer in (whole, cut, raw)] == [(1, 384), (1, 8), (1, 384)]


def test_a_text_can_be_cut_on_either_side(minilm: TextEmbeddings) -> None:
    text = "alpha " * 300 + "omega " * 300
    right, left = embed(minilm, text, truncate=True), embed(minilm, text, truncate=True, truncation_side="left")
    assert cosines(right, embed(minilm, "alpha " * 254))[0] == pytest.approx(1, abs=1e-4)
    assert cosines(left, embed(minilm, "omega " * 254))[0] == pytest.approx(1, abs=1e-4)


def test_texts_cut_together_have_the_vectors_that_they_have_alone(minilm: TextEmbeddings) -> None:
    texts = ["short", "alpha " * 300, "The bridge gave way.", "omega " * 300]
    together = embed(minilm, *texts, truncate=True)
    alone = np.concatenate([embed(minilm, text, truncate=True) for text in texts])
    assert cosines(together, alone).min() >= 1 - 1e-4
    assert cosines(together[::2], embed(minilm, *texts[::2])).min() >= 1 - 1e-4


@pytest.mark.parametrize(
    ("request_", "param", "said"),
    [
        (Embed(inputs=["ok", "ok", "ok", "long " * 400]), "input[3]", ["402", "256"]),
        (Embed(inputs=["ok", [101] * 300]), "input[1]", ["300", "256"]),
        (Embed(inputs=[[101, 7592, 102], [101, 30522, 102]]), "input[1][1]", ["30522", "30521"]),
        (Embed(inputs=["ok", "a" * 1_000_001]), "input[1]", ["1000001", "1000000"]),
        (Embed(inputs=["ok"], dimensions=385), "dimensions", ["385", "384"]),
        (Embed(inputs=["ok"] * 2049), "input", ["2049", "2048"]),
        (Embed(inputs=["ok"], prompt_name="query"), "prompt_name", ["no prompts"]),
        (Embed(inputs=["ok"], input_type="query"), "input_type", ["no prompts"]),
        (Embed(inputs=["ok"], prompt_name="a", input_type="b"), "input_type", ["not both"]),
    ],
)
def test_what_cannot_be_done_names_the_field_and_the_values(
    minilm: TextEmbeddings, request_: Embed, param: str, said: list[str]
) -> None:
    with pytest.raises(RequestError) as raised:
        ask(minilm, request_)
    assert raised.value.param == param
    assert all(part in raised.value.message for part in said)
    assert embed(minilm, "and the engine goes on").shape == (1, 384)
