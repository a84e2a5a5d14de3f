"""Vocabularies and prompts, on tokenizers made for the purpose."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ovms_core.engine import RequestError
from ovms_llm.messages import Text, Tokens
from ovms_llm.prompt.prompts import Prompts
from ovms_llm.prompt.templates import ChatTemplate
from ovms_llm.prompt.vocabulary import Vocabulary

PAD = 0


class Words:
    """A tokenizer of whole words with the habits of OpenVINO's.

    It pads the shorter lists of a call, shows the padding, and drops ids that it does not know.
    """

    def __init__(self, words: Sequence[str | bytes], between: str = "") -> None:
        self.words: list[str | bytes] = ["<pad>", *words]
        self.between = between
        self.encoded: list[str] = []

    def get_vocab(self) -> dict[str | bytes, int]:
        return {word: id for id, word in enumerate(self.words)}

    def encode(self, text: str, add_special_tokens: bool) -> Any:
        self.encoded.append(text)
        text.encode()
        return SimpleNamespace(input_ids=SimpleNamespace(data=np.array([[1, 2]])))

    def decode(self, lists: Sequence[list[int]], skip_special_tokens: bool) -> list[str]:
        longest = max(map(len, lists))
        return [self._text(ids + [PAD] * (longest - len(ids)), skip_special_tokens) for ids in lists]

    def _text(self, ids: list[int], skip: bool) -> str:
        words = [self.words[id] for id in ids if id < len(self.words) and (id != PAD or not skip)]
        data = self.between.encode().join(word if isinstance(word, bytes) else word.encode() for word in words)
        return data.decode("utf-8", "ignore")


class Special(Words):
    """Its words in angle brackets are special tokens."""

    def _text(self, ids: list[int], skip: bool) -> str:
        shown = [id for id in ids if not (skip and str(self.words[id]).startswith("<"))]
        return super()._text(shown, skip)


def prompts_of(tokenizer: Words, size: int | None = None, max_characters: int = 100) -> Prompts:
    template = ChatTemplate({}, {}, lambda *arguments: "")
    return Prompts(tokenizer, template, Vocabulary(tokenizer, size), max_characters)


def test_bytes_are_joined_where_that_is_what_the_tokenizer_does() -> None:
    assert Vocabulary(Words(["a", "b"]), None).joins_bytes
    assert not Vocabulary(Words(["a", "b"], between=" "), None).joins_bytes


@pytest.mark.parametrize("between", ["", " "])
def test_a_text_does_not_depend_on_what_is_decoded_beside_it(between: str) -> None:
    vocabulary = Vocabulary(Words(["a", "b"], between), None)
    for skip in (False, True):
        assert vocabulary.decode([[1], [], [1, 2, 1], [2]], skip) == ["a", "", between.join("aba"), "b"]


def test_special_tokens_are_shown_when_asked_for() -> None:
    vocabulary = Vocabulary(Words(["a"]), None)
    assert vocabulary.decode([[1, PAD]], True) == ["a"]
    assert vocabulary.decode([[1, PAD]], False) == ["a<pad>"]


def test_bytes_that_are_no_character_are_reported_as_they_are() -> None:
    vocabulary = Vocabulary(Words([b"\xc3", b"\xa9"]), None)
    assert vocabulary.decode([[1, 2]], True) == ["é"]
    assert vocabulary.logprob(1, -0.5).bytes == [0xC3]
    assert vocabulary.logprob(1, -0.5).token == "\ufffd"


@pytest.mark.parametrize("id", [-1, 8, 10**9])
def test_an_id_outside_the_vocabulary_is_named(id: int) -> None:
    vocabulary = Vocabulary(Words(["a"]), 8)
    with pytest.raises(RequestError, match=f"token id {id} is not in the vocabulary: ids go from 0 to 7") as refused:
        vocabulary.check([1, id], "prompt")
    assert (refused.value.param, refused.value.status) == ("prompt[1]", 400)


def test_an_id_that_the_model_knows_and_the_tokenizer_does_not_has_no_text() -> None:
    for between in ("", " "):
        vocabulary = Vocabulary(Words(["a"], between), 8)
        vocabulary.check([7], "prompt")
        assert vocabulary.decode([[1, 7]], True) == ["a"]
        assert vocabulary.logprob(7, 0.0).bytes == []


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"], "<|fim_prefix|>A<|fim_suffix|>B<|fim_middle|>"),
        (["<fim_prefix>", "<fim_suffix>", "<fim_middle>"], "<fim_prefix>A<fim_suffix>B<fim_middle>"),
        (["▁<PRE>", "▁<SUF>", "▁<MID>"], "▁<PRE>A▁<SUF>B▁<MID>"),
        (["[PREFIX]", "[SUFFIX]"], "[SUFFIX]B[PREFIX]A"),
    ],
)
def test_the_middle_is_filled_in_as_the_model_was_trained_to(tokens: list[str], expected: str) -> None:
    tokenizer = Words(tokens)
    _, text = prompts_of(tokenizer).ids(Text("A", suffix="B"))
    assert text == expected
    assert tokenizer.encoded == [expected]


def test_braces_in_a_program_are_left_alone() -> None:
    tokenizer = Words(["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"])
    _, text = prompts_of(tokenizer).ids(Text("{prefix} {0}", suffix="{suffix}"))
    assert text == "<|fim_prefix|>{prefix} {0}<|fim_suffix|>{suffix}<|fim_middle|>"


def test_a_model_that_cannot_fill_in_says_so() -> None:
    with pytest.raises(RequestError, match="no fill-in-the-middle tokens: leave suffix out") as refused:
        prompts_of(Words(["<|fim_prefix|>", "<|fim_suffix|>"])).ids(Text("A", suffix="B"))
    assert (refused.value.param, refused.value.status) == ("suffix", 400)


def test_half_a_surrogate_pair_is_refused() -> None:
    class Strict(Words):
        def encode(self, text: str, add_special_tokens: bool) -> Any:
            try:
                return super().encode(text, add_special_tokens)
            except UnicodeEncodeError as error:  # pybind's words for it
                raise TypeError("incompatible function arguments") from error

    with pytest.raises(RequestError, match="half a surrogate pair") as refused:
        prompts_of(Strict(["a"])).ids(Text("\ud83d"))
    assert refused.value.param == "prompt"


def test_token_ids_are_taken_as_they_are() -> None:
    assert prompts_of(Words(["a"])).ids(Tokens([1, 0, 1])) == ([1, 0, 1], None)
    with pytest.raises(RequestError) as refused:
        prompts_of(Words(["a"])).ids(Tokens([1, 2]))
    assert refused.value.param == "prompt[1]"


def test_a_prompt_of_too_many_characters_is_refused_before_it_is_tokenised() -> None:
    tokenizer = Words(["a"])
    limited = prompts_of(tokenizer, max_characters=10)
    with pytest.raises(RequestError, match="11 characters") as refused:
        limited.ids(Text("01234567890"))
    assert (refused.value.param, refused.value.code) == ("prompt", "text_too_long")
    assert not tokenizer.encoded


@pytest.mark.parametrize("between", ["", " "])
def test_special_tokens_that_are_visible_are_not_skipped(between: str) -> None:
    vocabulary = Vocabulary(Special(["<call>", "<end>", "a"], between), None)
    visible = vocabulary.special_ids(["<call>", "a", "<unknown>"])
    assert visible == {1}
    ids = [[1, 3, 2], [2], [3, 1]]
    assert [text.replace(" ", "") for text in vocabulary.decode(ids, True, visible)] == ["<call>a", "", "a<call>"]
    assert [text.replace(" ", "") for text in vocabulary.decode(ids, True)] == ["a", "", "a"]
