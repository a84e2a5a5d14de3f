"""A tokenizer's vocabulary: tokens by id, as bytes, and the text that they make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ovms_core.engine import RequestError
from ovms_llm.messages import TokenLogprob

_ERRORS: Final = ("ignore", "replace")
"""What detokenizers do about bytes that make no character; the second kind is that of exports."""
_SAMPLE: Final = 512
_SAMPLE_LENGTH: Final = 7


class Vocabulary:
    """The tokens of a tokenizer. `size` is the number of ids that a model knows, where that is known.

    It may be larger than the tokenizer's, or smaller: tokens may have been added that the model was not trained on.
    `special` are the ids that have no text of their own, `longest` is the length of the longest token.

    `decode` is the tokenizer's, but for a byte-level vocabulary (the usual kind) it joins bytes here: an
    inference of the detokenizer costs 0.4 ms in the middle of a generation, joining a few microseconds.
    Whether that gives the same text is tried on the whole vocabulary first.
    """

    def __init__(self, tokenizer: Any, size: int | None) -> None:
        tokens: dict[Any, int] = tokenizer.get_vocab()
        self.size = size or 1 + max(tokens.values())
        self._tokenizer = tokenizer
        self._ids = {token.encode() if isinstance(token, str) else token: id for token, id in tokens.items()}
        self.longest = max(map(len, self._ids))
        self._bytes = _by_id(self._ids, self.size)
        every = sorted(self._ids.values())
        texts = {skip: self._decode([[id] for id in every], skip) for skip in (False, True)}
        self.special = frozenset(
            id for id, whole, part in zip(every, texts[False], texts[True], strict=True) if whole and not part
        )
        self._shown = [b"" if id in self.special else data for id, data in enumerate(self._bytes)]
        how = self._how_to_join(every, texts)
        self.joins_bytes = how is not None
        self._errors = how or _ERRORS[0]

    def id_of(self, token: str) -> int | None:
        """The id of `token`, if it is one."""
        return self._ids.get(token.encode())

    def text_of(self, id: int) -> str:
        """The token `id` as text; empty where there is none."""
        return self._bytes[id].decode("utf-8", "replace") if 0 <= id < len(self._bytes) else ""

    def __contains__(self, token: object) -> bool:
        return isinstance(token, str) and token.encode() in self._ids

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

    def check_text(self, ids: list[int], param: str) -> None:
        """Raises `RequestError` for a token that was added to the tokenizer and that the model does not know."""
        unknown = max(ids, default=0)
        if unknown >= self.size:
            raise RequestError(
                f"the text holds '{self.text_of(unknown)}' (token id {unknown}), which the model does not know: it has "
                f"{self.size} tokens. Leave it out",
                param=param,
            )

    def decode(
        self, lists: Sequence[list[int]], skip_special_tokens: bool, visible: frozenset[int] = frozenset()
    ) -> list[str]:
        """The text of each list of token ids; special tokens that are `visible` are never skipped."""
        if skip_special_tokens and visible:
            shown = [[id for id in ids if id in visible or id not in self.special] for ids in lists]
            return self.decode(shown, False)
        if not self.joins_bytes:
            return self._decode(lists, skip_special_tokens)
        table = self._shown if skip_special_tokens else self._bytes
        return [_joined(table, ids, self._errors) for ids in lists]

    def special_ids(self, markers: Iterable[str]) -> frozenset[int]:
        """The ids of those `markers` that are special tokens."""
        return frozenset(id for marker in markers if (id := self.id_of(marker)) in self.special and id is not None)

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

    def _how_to_join(self, every: list[int], texts: dict[bool, list[str]]) -> str | None:
        """How joined bytes become the tokenizer's text, for `every` token and for a sample of sequences, if they do."""
        count = len(every)
        step = max(1, count // _SAMPLE)
        sample = [[every[(first + 7919 * i) % count] for i in range(_SAMPLE_LENGTH)] for first in range(0, count, step)]
        lists = [[id] for id in every] + sample
        expected = {skip: texts[skip] + self._decode(sample, skip) for skip in texts}
        tables = {False: self._bytes, True: self._shown}
        for errors in _ERRORS:
            if all(expected[skip] == [_joined(tables[skip], ids, errors) for ids in lists] for skip in tables):
                return errors
        return None


def _joined(table: list[bytes], ids: list[int], errors: str) -> str:
    return b"".join([table[id] for id in ids]).decode("utf-8", errors)


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
