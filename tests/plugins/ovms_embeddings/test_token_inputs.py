"""Token ids in place of texts: the model's own, OpenAI's, or none."""

from __future__ import annotations

import gzip
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.plugins.ovms_embeddings.asking import ask, cosines, embed
from tests.plugins.ovms_embeddings.conftest import Load

from ovms_core.engine import LoadError, RequestError
from ovms_embeddings.engine import vocabularies
from ovms_embeddings.engine.embedding import TextEmbeddings
from ovms_embeddings.engine.reading import Reader
from ovms_embeddings.engine.recipe import Recipe
from ovms_embeddings.engine.vocabularies import Vocabulary
from ovms_embeddings.messages import Embed
from ovms_embeddings.options import EmbeddingsOptions
from ovms_openvino.tokens import TextTokenizer

TEXTS = ["A cat sleeps on the sofa.", "Taxes are due 🦊", "hello world"]
CL100K = [
    [32, 8415, 72490, 389, 279, 32169, 13],
    [51, 20589, 527, 4245, 11410, 99, 232],
    [15339, 1917],
]
"""`TEXTS` as tiktoken's cl100k_base has them."""


@pytest.fixture(scope="module")
def packaged() -> Path:
    """The file of cl100k_base in the package that brings it."""
    pytest.importorskip("bpe_openai")
    return Path(str(distribution("bpe-openai").locate_file("bpe_openai/data/cl100k_base.tiktoken.gz")))


@pytest.fixture(scope="module")
def tokenizer(minilm_path: Path) -> TextTokenizer:
    return TextTokenizer.load(minilm_path)


def read(tokenizer: TextTokenizer, *inputs: str | list[int], options: dict[str, Any], **fields: Any) -> list[Any]:
    """The ids that a model with `options` reads for each input."""
    recipe = Recipe(poolings=("mean",), normalize=True, max_length=256, pad_id=0)
    reader = Reader(tokenizer, recipe, EmbeddingsOptions.model_validate(options))
    return [list(passage.tokens.ids) for passage in reader.read(Embed(inputs=list(inputs), **fields))]


def test_ids_of_another_tokenizer_have_the_vectors_of_their_texts(
    minilm: TextEmbeddings, load: Load, minilm_path: Path, packaged: Path
) -> None:
    expected = embed(minilm, *TEXTS)
    assert cosines(embed(minilm, CL100K[2]), expected[2:])[0] < 0.9
    foreign = load(minilm_path, token_inputs="cl100k_base")
    assert cosines(embed(foreign, *CL100K), expected).min() >= 1 - 1e-4
    (answer,) = ask(foreign, Embed(inputs=[CL100K[2]]))
    assert (answer.prompt_tokens, answer.warnings) == (4, [])


def test_a_vocabulary_may_be_a_file(tokenizer: TextTokenizer, packaged: Path, tmp_path: Path) -> None:
    file = tmp_path / "cl100k_base.tiktoken"
    file.write_bytes(gzip.decompress(packaged.read_bytes()))
    assert read(tokenizer, *CL100K, options={"token_inputs": str(file)}) == read(tokenizer, *TEXTS, options={})


def test_ids_that_another_vocabulary_lacks_are_refused_by_their_place(tokenizer: TextTokenizer, packaged: Path) -> None:
    options = {"token_inputs": "cl100k_base", "max_text_characters": 20}
    with pytest.raises(RequestError, match=r"'input\[1\]\[1\]' is the token id 100256, and cl100k_base ") as raised:
        read(tokenizer, CL100K[2], [15339, 100256], options=options)
    assert raised.value.param == "input[1][1]"
    with pytest.raises(RequestError, match=r"'input\[0\]' has 25 characters"):
        read(tokenizer, CL100K[0], options=options)


def test_half_a_character_at_the_end_of_a_part_is_left_out(packaged: Path) -> None:
    vocabulary = Vocabulary.load("cl100k_base")
    assert vocabulary.text(CL100K[1]) == TEXTS[1]
    assert vocabulary.text(CL100K[1][:-1]) == "Taxes are due "
    assert vocabulary.text([15339, 100257]) == "hello<|endoftext|>"


def test_o200k_is_known_too(packaged: Path) -> None:
    assert Vocabulary.load("o200k_base").text([24912, 2375, 199999]) == "hello world<|endoftext|>"


def test_a_model_may_refuse_token_ids(tokenizer: TextTokenizer) -> None:
    assert read(tokenizer, "hello", options={"token_inputs": "refuse"}) == [[101, 7592, 102]]
    with pytest.raises(RequestError, match=r"token_inputs: refuse.*check_embedding_ctx_length=False") as raised:
        read(tokenizer, "hello", CL100K[2], options={"token_inputs": "refuse"})
    assert raised.value.param == "input[1]"


def test_ids_that_no_token_has_are_refused_with_the_setting_and_the_clients_switch(minilm: TextEmbeddings) -> None:
    with pytest.raises(RequestError, match=r"72490.* 0 to 30521.*check_embedding_ctx_length=False.*token_inputs"):
        embed(minilm, CL100K[0])


@pytest.mark.parametrize(
    ("inputs", "foreign"),
    [
        (["hello world"], False),
        ([[101, 7592, 2088, 102]], False),
        ([[101, 7592, 2088]], False),
        ([[7592, 2088, 102]], False),
        ([[7592, 2088]], True),
        (["hello", [101, 7592, 102], [15339, 1917]], True),
    ],
)
def test_ids_without_the_special_tokens_of_every_text_look_foreign(
    minilm: TextEmbeddings, inputs: list[str | list[int]], foreign: bool
) -> None:
    (answer,) = ask(minilm, Embed(inputs=inputs))
    assert len(answer.warnings) == foreign
    assert all("options.token_inputs" in warning for warning in answer.warnings)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "No such file"),
        (b"", "empty"),
        (b"aGVsbG8= 1\naGVsbG8=\n", "every line"),
        (b"aGVsbG8= one\n", "every line"),
        (b"h\xe4llo 1\n", "every line"),
        (gzip.compress(b"aGVsbG8= 1", mtime=0), "every line"),
    ],
)
def test_a_vocabulary_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, expected: str) -> None:
    file = tmp_path / "own.tiktoken"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(LoadError, match=rf"'own\.tiktoken' of options\.token_inputs cannot be read: .*{expected}"):
        Vocabulary.load(str(file))


def test_a_package_that_is_not_installed_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabularies, "_PACKAGE", "there-is-no-such-package")
    with pytest.raises(LoadError, match=r"pip install 'ovms-embeddings\[tiktoken\]'.*cl100k_base\.tiktoken"):
        Vocabulary.load("cl100k_base")


def test_a_misspelt_vocabulary_is_an_error_with_those_that_there_are() -> None:
    with pytest.raises(ValidationError, match=r"cl100k_base, o200k_base, refuse, or the path of a file \*\.tiktoken"):
        EmbeddingsOptions.model_validate({"token_inputs": "cl100k"})


@pytest.mark.parametrize(("option", "kept"), [(True, "alpha"), ("end", "alpha"), ("start", "omega")])
def test_a_text_that_is_too_long_is_cut_where_the_options_say_so(
    tokenizer: TextTokenizer, option: bool | str, kept: str
) -> None:
    text, options = "alpha " * 300 + "omega " * 300, {"truncate": option}
    assert read(tokenizer, text, options=options) == read(tokenizer, f"{kept} " * 254, options={})
    right = read(tokenizer, text, options=options, truncation_side="right")
    assert right == read(tokenizer, "alpha " * 254, options={})
    assert [len(ids) for ids in read(tokenizer, [7592] * 300, options=options)] == [256]
    with pytest.raises(RequestError, match="602 tokens"):
        read(tokenizer, text, options=options, truncate=False)


def test_a_prompt_stands_before_ids_that_are_text(tokenizer: TextTokenizer, packaged: Path) -> None:
    recipe = Recipe(poolings=("mean",), normalize=True, max_length=256, pad_id=0, prompts={"query": "query: "})
    reader = Reader(tokenizer, recipe, EmbeddingsOptions(token_inputs="cl100k_base"))
    (passage,) = reader.read(Embed(inputs=[CL100K[2]], input_type="query"))
    assert list(passage.tokens.ids) == read(tokenizer, "query: hello world", options={})[0]
