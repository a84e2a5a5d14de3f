"""A tokenizer's vocabulary: tokens by id, as bytes, and the text that they make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ovms_core.engine import RequestError
from ovms_llm.messages import TokenLogprob

_SAMPLE: Final = 512
_SAMPLE_LENGTH: Final = 7


class Vocabulary:
    """The tokens of a tokenizer. `size` is the number of ids that a model knows, if that is known; it may be larger.

    `decode` is the tokenizer's, but for a byte-level vocabulary (the usual kind) it joins bytes here: an
    inference of the detokenizer costs 0.4 ms in the middle of a generation, joining a few microseconds.
    Whether that gives the same text is tried on the whole vocabulary first.
    """

    def __init__(self, tokenizer: Any, size: int | None) -> None:
        tokens: dict[Any, int] = tokenizer.get_vocab()
        self.size = size or 1 + max(tokens.values())
        self._tokenizer = tokenizer
        self._ids = {token.encode() if isinstance(token, str) else token: id for token, id in tokens.items()}
        self._bytes = _by_id(self._ids, self.size)
        self._shown = self._without_special()
        self.joins_bytes = self._agrees()

    def __contains__(self, token: str) -> bool:
        return token.encode() in self._ids

    def logprob(self, id: int, logprob: float) -> TokenLogprob:
        """The token `id` as it is reported, with its log probability."""
        data = self._bytes[id]
        return TokenLogprob(data.decode("utf-8", "replace"), logprob, list(data))

    def check(self, ids: Iterable[int], param: str) -> None:
        """Raises `RequestError`, naming the first id that is none."""
        for at, id in enumerate(ids):
            if not 0 <= id < self.size:
                raise RequestError(
                    f"token id {id} is not in the vocabulary: ids go from 0 to {self.size - 1}", param=f"{param}[{at}]"
                )

    def decode(self, lists: Sequence[list[int]], skip_special_tokens: bool) -> list[str]:
        """The text of each list of token ids."""
        if not self.joins_bytes:
            return self._decode(lists, skip_special_tokens)
        table = self._shown if skip_special_tokens else self._bytes
        return [_joined(table, ids) for ids in lists]

    def _decode(self, lists: Sequence[list[int]], skip_special_tokens: bool) -> list[str]:
        # Lists of unequal length are padded, and the padding is part of the text unless special tokens are skipped.
        texts = [""] * len(lists)
        for length in {len(ids) for ids in lists} - {0}:
            places = [place for place, ids in enumerate(lists) if len(ids) == length]
            decoded = self._tokenizer.decode(
                [lists[place] for place in places], skip_special_tokens=skip_special_tokens
            )
            for place, text in zip(places, decoded, strict=True):
                texts[place] = text
        return texts

    def _without_special(self) -> list[bytes]:
        every = [[id] for id in range(len(self._ids))]
        kept, shown = self._decode(every, False), self._decode(every, True)
        special = {id for id, (whole, part) in enumerate(zip(kept, shown, strict=True)) if whole and not part}
        return [b"" if id in special else data for id, data in enumerate(self._bytes)]

    def _agrees(self) -> bool:
        """Whether joining bytes gives the tokenizer's text, for every token and for a sample of sequences."""
        count = len(self._ids)
        step = max(1, count // _SAMPLE)
        sample = [[(first + 7919 * i) % count for i in range(_SAMPLE_LENGTH)] for first in range(0, count, step)]
        lists = [[id] for id in range(count)] + sample
        return all(
            self._decode(lists, skip) == [_joined(table, ids) for ids in lists]
            for skip, table in ((False, self._bytes), (True, self._shown))
        )


def _joined(table: list[bytes], ids: list[int]) -> str:
    # Bytes that make no character are left out, as OpenVINO's detokenizer does.
    return b"".join([table[id] for id in ids]).decode("utf-8", "ignore")


def _by_id(ids: dict[bytes, int], size: int) -> list[bytes]:
    sentencepiece = b"<0x0A>" in ids
    table = [b""] * max(size, 1 + max(ids.values()))
    for token, id in ids.items():
        table[id] = _plain(token) if sentencepiece else token
    return table


def _plain(token: bytes) -> bytes:
    """The bytes of a sentencepiece token, which writes spaces as U+2581 and single bytes as ``<0xE4>``."""
    if len(token) == 6 and token.startswith(b"<0x") and token.endswith(b">"):
        return bytes([int(token[3:5], 16)])
    return token.replace("▁".encode(), b" ")
