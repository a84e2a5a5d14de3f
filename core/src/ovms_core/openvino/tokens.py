"""Texts to token ids with Hugging Face `tokenizers` (https://huggingface.co/docs/tokenizers)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from tokenizers import Encoding, Tokenizer

from ovms_core.errors import LoadError

Side = Literal["left", "right"]


class TokenSequence(NamedTuple):
    """What a model reads for one text or pair: never padded, hashable.

    `type_ids` is as long as `ids`, or empty where all are 0.
    """

    ids: tuple[int, ...]
    type_ids: tuple[int, ...] = ()


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
    def load(cls, folder: Path) -> TextTokenizer:
        """The tokenizer in ``tokenizer.json``. Raises `LoadError` when it is not there or cannot be read."""
        file = folder / "tokenizer.json"
        if not file.is_file():
            raise LoadError(
                f"'{folder.name}' has no tokenizer.json. Save it beside the model with "
                f"transformers.AutoTokenizer.from_pretrained(…).save_pretrained(…)."
            )
        try:
            return cls(Tokenizer.from_file(str(file)))
        except Exception as error:  # the library raises bare Exception
            raise LoadError(f"'{folder.name}/tokenizer.json' cannot be read: {error}.") from error

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


def _sequences(encodings: Iterable[Encoding]) -> list[TokenSequence]:
    return [_sequence(encoding.ids, encoding.type_ids) for encoding in encodings]


def _sequence(ids: list[int], type_ids: list[int]) -> TokenSequence:
    return TokenSequence(tuple(ids), tuple(type_ids) if any(type_ids) else ())
