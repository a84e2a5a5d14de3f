"""Tokenising for encoders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import NFC, BertNormalizer
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from ovms_core.errors import LoadError
from ovms_openvino.tokens import Side, TextTokenizer, TokenSequence

VOCABULARY = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "one", "two", "three", "four"]


@pytest.fixture
def tokenizer() -> TextTokenizer:
    raw = Tokenizer(WordLevel({word: id for id, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    raw.pre_tokenizer = Whitespace()
    raw.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    raw.enable_padding(length=16)
    raw.enable_truncation(3)
    return TextTokenizer(raw)


def test_what_the_file_says_of_padding_and_truncation_is_left_out(tokenizer: TextTokenizer) -> None:
    assert tokenizer.encode(["one two three four", "one"]) == [
        TokenSequence((1, 4, 5, 6, 7, 2)),
        TokenSequence((1, 4, 2)),
    ]


def test_pairs_are_joined_the_tokenizers_own_way(tokenizer: TextTokenizer) -> None:
    assert tokenizer.encode_pairs([("one", "two three")]) == [TokenSequence((1, 4, 2, 5, 6, 2), (0, 0, 0, 1, 1, 1))]


def test_a_text_is_cut_on_either_side_and_keeps_its_special_tokens(tokenizer: TextTokenizer) -> None:
    text = "one two three four"
    assert tokenizer.encode_cut(text, 4).ids == (1, 4, 5, 2)
    assert tokenizer.encode_cut(text, 4, "left").ids == (1, 6, 7, 2)
    assert tokenizer.encode_cut(text, 40).ids == tokenizer.encode([text])[0].ids


def test_texts_are_cut_together_as_they_are_alone(tokenizer: TextTokenizer) -> None:
    texts = ["one two three four", "one", "one two"]
    sides: tuple[Side, ...] = ("left", "right")
    for side in sides:
        assert tokenizer.encode(texts, max_length=4, side=side) == [
            tokenizer.encode_cut(text, 4, side) for text in texts
        ]
    assert tokenizer.encode(texts, max_length=40) == tokenizer.encode(texts)


def test_special_tokens_are_counted(tokenizer: TextTokenizer) -> None:
    assert (tokenizer.special_tokens(), tokenizer.special_tokens(pair=True)) == (2, 3)


def test_the_vocabulary_is_known(tokenizer: TextTokenizer) -> None:
    assert tokenizer.vocabulary_size == len(VOCABULARY)


def test_a_vocabulary_with_gaps_goes_to_its_largest_id() -> None:
    raw = Tokenizer(WordLevel({"[UNK]": 0, "one": 7}, unk_token="[UNK]"))
    assert TextTokenizer(raw).vocabulary_size == 8


def test_a_model_without_a_tokenizer_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"has no tokenizer\.json"):
        TextTokenizer.load(tmp_path)


def test_a_broken_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(LoadError, match=r"'tokenizer\.json' of the model cannot be read"):
        TextTokenizer.load(tmp_path)


@pytest.mark.parametrize("cased", [True, False])
def test_lower_casing_comes_before_everything_else(cased: bool, tmp_path: Path) -> None:
    raw = Tokenizer(WordLevel({"[UNK]": 0, "hello": 1, "HELLO": 2, "[X]": 3}, unk_token="[UNK]"))
    raw.pre_tokenizer = Whitespace()
    raw.add_special_tokens(["[X]"])
    if not cased:
        raw.normalizer = NFC()
    raw.save(str(tmp_path / "tokenizer.json"))
    encoded = [TextTokenizer.load(tmp_path, lower_case=lower).encode(["HELLO [X]"])[0].ids for lower in (False, True)]
    assert encoded == [(2, 3), (1, 3)]


@pytest.mark.parametrize("lowers", [True, False])
def test_the_configuration_of_a_wordpiece_tokenizer_has_the_last_word(lowers: bool, tmp_path: Path) -> None:
    raw = Tokenizer(WordLevel({"[UNK]": 0, "hello": 1, "HELLO": 2}, unk_token="[UNK]"))
    raw.normalizer = BertNormalizer(lowercase=not lowers)
    raw.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lowers}))
    assert TextTokenizer.load(tmp_path).encode(["HELLO"])[0].ids == ((1,) if lowers else (2,))
