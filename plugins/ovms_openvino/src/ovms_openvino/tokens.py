"""Texts to token ids with Hugging Face `tokenizers` (https://huggingface.co/docs/tokenizers)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
from tokenizers import Encoding, Tokenizer, normalizers
from tokenizers.normalizers import BertNormalizer, Lowercase

from ovms_core.engine import LoadError
from ovms_core.model_files import read_document
from ovms_openvino.fast_tokenizer import FAST_TOKENIZER, fast_tokenizer

Side = Literal["left", "right"]


class TokenSequence(NamedTuple):
    """What a model reads for one text or pair: never padded, hashable.

    `type_ids` is as long as `ids`, or empty where all are 0.
    """

    ids: tuple[int, ...]
    type_ids: tuple[int, ...] = ()


class _Config(msgspec.Struct):
    do_lower_case: bool | None = None


class TextTokenizer:
    """A model's tokenizer, with its own special tokens and without its own truncation and padding.

    Lengths are checked and cut by whoever knows the limit, and rows are padded when a batch is formed.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self.raw = tokenizer
        self.vocabulary_size = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1

    @classmethod
    def load(cls, folder: Path, work_dir: Path | None = None, *, lower_case: bool = False) -> TextTokenizer:
        """The tokenizer of the model in `folder`; with `lower_case` texts are lower-cased first.

        It is in ``tokenizer.json``; where there is none, and a `work_dir`, it is made there once of the older files
        (``vocab.txt``, ``spiece.model``, …). Raises `LoadError` when it cannot be had or read.
        """
        tokenizer = _read(fast_tokenizer(folder, work_dir) / FAST_TOKENIZER)
        _obey(tokenizer, read_document(folder, "tokenizer_config.json", _Config))
        if lower_case:
            _lower_case(tokenizer)
        return cls(tokenizer)

    def encode(
        self, texts: Sequence[str], *, max_length: int | None = None, side: Side = "right"
    ) -> list[TokenSequence]:
        """The token ids of each text, special tokens included, cut at `side` to at most `max_length`."""
        if max_length is None:
            return _sequences(self.raw.encode_batch_fast(list(texts)))
        encodings = self.raw.encode_batch(list(texts), add_special_tokens=False)
        room = max(0, max_length - self.special_tokens())
        for encoding in encodings:
            encoding.truncate(room, direction=side)
        return _sequences(map(self.raw.post_process, encodings))

    def encode_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[TokenSequence]:
        """The token ids of each pair, joined the tokenizer's own way."""
        return _sequences(self.raw.encode_batch_fast(list(pairs)))

    def encode_cut(self, text: str, max_length: int, side: Side = "right") -> TokenSequence:
        """The token ids of `text`, special tokens included, cut at `side` to at most `max_length`."""
        return self.encode([text], max_length=max_length, side=side)[0]

    def special_tokens(self, *, pair: bool = False) -> int:
        """How many tokens the tokenizer adds to a text, or to a pair."""
        return int(self.raw.num_special_tokens_to_add(pair))


def _read(file: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises bare Exception
        raise LoadError(
            f"'{file.name}' of the model cannot be read: {error}. Mend it, or fetch the model anew."
        ) from error


def _obey(tokenizer: Tokenizer, config: _Config) -> None:
    """Let ``tokenizer_config.json`` have the last word, as transformers does for WordPiece."""
    normalizer = tokenizer.normalizer
    if not isinstance(normalizer, BertNormalizer) or config.do_lower_case in (None, normalizer.lowercase):
        return
    tokenizer.normalizer = BertNormalizer(
        clean_text=normalizer.clean_text,
        handle_chinese_chars=normalizer.handle_chinese_chars,
        strip_accents=normalizer.strip_accents,
        lowercase=config.do_lower_case,
    )


def _lower_case(tokenizer: Tokenizer) -> None:
    """Lower-case before everything else, as sentence-transformers does (its ``do_lower_case``)."""
    normalizer = tokenizer.normalizer
    tokenizer.normalizer = normalizers.Sequence([Lowercase(), normalizer] if normalizer else [Lowercase()])


def _sequences(encodings: Iterable[Encoding]) -> list[TokenSequence]:
    return [_sequence(encoding.ids, encoding.type_ids) for encoding in encodings]


def _sequence(ids: list[int], type_ids: list[int]) -> TokenSequence:
    return TokenSequence(tuple(ids), tuple(type_ids) if any(type_ids) else ())
