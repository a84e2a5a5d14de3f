"""Decoder embedders such as Qwen3-Embedding: last token, padding on either side, position ids, prompts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.plugins.ovms_embeddings.asking import ask, embed, vectors
from tests.plugins.ovms_embeddings.conftest import Load
from tests.plugins.ovms_embeddings.decoder import EOS, WORDS, Decoder

from ovms_core.engine import RequestError
from ovms_embeddings.engine.embedding import TextEmbeddings
from ovms_embeddings.messages import Embed

TEXTS = ["the cat is sleeping", "dog", "where is the dog today", "the the the the the the the cat"]


@pytest.fixture
def decoder() -> Decoder:
    return Decoder()


@pytest.fixture
def engine(decoder: Decoder, load: Load, tmp_path: Path) -> TextEmbeddings:
    return load(decoder.save(tmp_path / "model", query="query : ", document=""))


def expected(decoder: Decoder, text: str) -> np.ndarray:
    hidden = decoder.last_hidden([*(WORDS.index(word) for word in text.split()), EOS])
    return hidden / np.linalg.norm(hidden)


def test_vectors_equal_those_of_the_same_decoder_in_numpy_without_padding(
    engine: TextEmbeddings, decoder: Decoder
) -> None:
    got = embed(engine, *TEXTS)
    assert np.allclose(got, [expected(decoder, text) for text in TEXTS], atol=1e-5)


def test_padding_is_where_no_token_attends_to_nothing(engine: TextEmbeddings) -> None:
    details = engine.info().details
    assert (details["padding_side"], details["self_test"]) == ("right", "passed")


@pytest.mark.parametrize("self_test", ["warn", "off"])
def test_a_model_that_takes_the_last_position_is_padded_on_the_left(load: Load, tmp_path: Path, self_test: str) -> None:
    decoder = Decoder(masked=-1e9, pools="last position")
    engine = load(decoder.save(tmp_path / "model"), self_test=self_test)
    assert engine.info().details["padding_side"] == "left"
    assert np.allclose(embed(engine, *TEXTS), [expected(decoder, text) for text in TEXTS], atol=1e-5)


@pytest.mark.parametrize("self_test", ["warn", "off"])
def test_unless_padding_on_the_left_spoils_its_vectors(load: Load, tmp_path: Path, self_test: str) -> None:
    decoder = Decoder(pools="last token")
    engine = load(decoder.save(tmp_path / "model"), self_test=self_test)
    assert engine.info().details["padding_side"] == "right"
    assert np.allclose(embed(engine, *TEXTS), [expected(decoder, text) for text in TEXTS], atol=1e-5)


def test_the_end_token_is_the_tokenizers_own(engine: TextEmbeddings) -> None:
    (answer,) = ask(engine, Embed(inputs=["dog"]))
    assert answer.prompt_tokens == 2


def test_the_model_says_how_it_is_pooled_and_how_much_it_reads(engine: TextEmbeddings) -> None:
    info = engine.info()
    assert (info.details["pooling"], info.max_model_len, info.warnings) == ("last", 64, [])
    assert (info.details["prompts"], info.details["self_test"]) == (["document", "query"], "passed")


@pytest.mark.parametrize("fields", [{"prompt_name": "query"}, {"input_type": "query"}, {"input_type": "search_query"}])
def test_a_prompt_of_the_model_stands_before_the_text(
    engine: TextEmbeddings, decoder: Decoder, fields: dict[str, str]
) -> None:
    got = embed(engine, "where is the cat", **fields)
    assert np.allclose(got, [expected(decoder, "query : where is the cat")], atol=1e-5)


def test_a_document_has_the_empty_prompt(engine: TextEmbeddings, decoder: Decoder) -> None:
    assert np.allclose(embed(engine, "dog", input_type="passage"), [expected(decoder, "dog")], atol=1e-5)


def test_a_document_stands_alone_where_only_queries_have_a_prompt(decoder: Decoder, load: Load, tmp_path: Path) -> None:
    engine = load(decoder.save(tmp_path / "query-only", query="query : "))
    assert np.allclose(embed(engine, "dog", input_type="document"), [expected(decoder, "dog")], atol=1e-5)
    with pytest.raises(RequestError, match="no prompt for input_type 'clustering'"):
        embed(engine, "dog", input_type="clustering")


def test_an_unknown_prompt_is_refused_with_those_that_there_are(engine: TextEmbeddings) -> None:
    with pytest.raises(RequestError, match="It has: document, query") as raised:
        embed(engine, "dog", prompt_name="qurey")
    assert raised.value.param == "prompt_name"


def test_a_prompt_does_not_go_before_token_ids(engine: TextEmbeddings) -> None:
    with pytest.raises(RequestError, match="token ids") as raised:
        embed(engine, [6, 1], prompt_name="query")
    assert raised.value.param == "prompt_name"


def test_with_other_options_the_same_weights_are_pooled_another_way(
    decoder: Decoder, load: Load, tmp_path: Path
) -> None:
    folder = decoder.save(tmp_path / "other")
    first = load(folder, pooling="cls", normalize=False)
    (answer,) = ask(first, Embed(inputs=["dog today"]))
    assert np.allclose(vectors(answer)[0], decoder.last_hidden([WORDS.index("dog")]), atol=1e-5)
