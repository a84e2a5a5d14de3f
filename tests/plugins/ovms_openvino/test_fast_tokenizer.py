"""A tokenizer.json out of the older files of a tokenizer."""

from __future__ import annotations

import io
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from ovms_core.errors import LoadError
from ovms_openvino import fast_tokenizer
from ovms_openvino.tokens import TextTokenizer

WORDPIECE = Path(str(files("ovms_starter"))) / "models" / "minilm" / "tokenizer.json"
TEXT = "Hello World, how are you?"


def model(folder: Path, config: dict[str, Any], **contents: str | bytes) -> Path:
    """A model's folder with these files, ``__`` for a point in their names."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    for name, content in contents.items():
        file = folder / name.replace("__", ".")
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def wordpiece() -> str:
    vocabulary = Tokenizer.from_file(str(WORDPIECE)).get_vocab()
    return "\n".join(sorted(vocabulary, key=vocabulary.__getitem__))


def test_a_vocabulary_of_wordpiece_becomes_the_same_tokenizer_once(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    folder, work = model(tmp_path / "model", {"model_type": "bert"}, vocab__txt=wordpiece()), tmp_path / "work"
    expected = Tokenizer.from_file(str(WORDPIECE)).encode(TEXT).ids
    assert list(TextTokenizer.load(folder, work).encode([TEXT])[0].ids) == expected
    (made,) = work.rglob("tokenizer.json")
    written = made.stat().st_mtime_ns
    assert list(TextTokenizer.load(folder, work).encode([TEXT])[0].ids) == expected
    assert made.stat().st_mtime_ns == written
    assert not (folder / "tokenizer.json").exists()


@pytest.mark.parametrize(
    ("kind", "name", "ends"),
    [("xlm-roberta", "sentencepiece__bpe__model", ("<s>", "</s>")), ("deberta-v2", "spm__model", ("[CLS]", "[SEP]"))],
)
def test_a_model_of_sentencepiece_becomes_the_same_tokenizer(
    tmp_path: Path, kind: str, name: str, ends: tuple[str, str]
) -> None:
    sentencepiece, written = pytest.importorskip("sentencepiece"), io.BytesIO()
    sentences = iter([TEXT, *(f"How {word} are {word} worlds?" for word in ("old", "new", "you", "hello"))] * 40)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=sentences, model_writer=written, vocab_size=45, hard_vocab_limit=False, minloglevel=2
    )
    pieces = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue()).encode(TEXT, out_type=str)
    folder = model(tmp_path / "model", {"model_type": kind}, **{name: written.getvalue()})
    assert TextTokenizer.load(folder, tmp_path / "work").raw.encode(TEXT).tokens == [ends[0], *pieces, ends[1]]


@pytest.mark.parametrize(
    ("config", "contents", "reason"),
    [
        ({}, {}, r"none of the files that one could be made of either"),
        ({}, {"vocab__txt": "a\nb"}, r"none can be made of its other files"),
        ({"model_type": "xlm-roberta"}, {"spiece__model": "x"}, r"XLMRobertaTokenizer wants sentencepiece\.bpe\.model"),
        ({"model_type": "xlm-roberta"}, {"sentencepiece__bpe__model": "x"}, r"none can be made of its other files"),
        ({"model_type": "roberta"}, {"vocab__json": "{", "merges__txt": ""}, r"none can be made of its other files"),
    ],
)
def test_what_cannot_be_converted_says_why_and_which_command_does_it(
    tmp_path: Path, config: dict[str, Any], contents: dict[str, str], reason: str
) -> None:
    folder = model(tmp_path / "model", config, **contents)
    with pytest.raises(LoadError, match=rf"'model' has no tokenizer\.json, and .*{reason}.*save_pretrained\('model'\)"):
        TextTokenizer.load(folder, tmp_path / "work")


def test_a_package_that_is_not_installed_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fast_tokenizer._READERS, ".txt", ("there_is_no_such_package",))
    folder = model(tmp_path / "model", {"model_type": "bert"}, vocab__txt="a")
    with pytest.raises(LoadError, match=r"there_is_no_such_package.*pip install 'ovms-openvino\[conversion\]'"):
        TextTokenizer.load(folder, tmp_path / "work")
