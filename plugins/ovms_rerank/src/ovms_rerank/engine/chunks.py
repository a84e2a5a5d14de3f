"""Cutting documents that do not fit beside their query."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tokenizers import Encoding

from ovms_core.engine import RequestError
from ovms_openvino.tokens import TokenSequence
from ovms_rerank.engine.layouts import Layout
from ovms_rerank.messages import Fit


@dataclass(frozen=True, slots=True)
class Question:
    """A query, and the room beside it: a sequence has `limit` tokens, and `overhead` are not the document's."""

    query: str
    instruction: str | None
    limit: int
    overhead: int

    @property
    def room(self) -> int:
        """Tokens that are left for the document."""
        return self.limit - self.overhead


@dataclass(frozen=True, slots=True)
class Cutter:
    """Cuts a document into pieces that fit beside a query.

    A piece ends between words, unless one word is longer than a piece. `fit` says what is kept when one
    sequence cannot hold the document; `max_tokens` and `max_chunks` bound what is read of it; neighbours share
    about `overlap` tokens.
    """

    layout: Layout
    fit: Fit = "chunk"
    max_tokens: int | None = None
    max_chunks: int | None = None
    overlap: int = 0

    def fits(self, question: Question, whole: TokenSequence) -> bool:
        """Whether a document need not be cut, given the sequence with all of it."""
        tokens = len(whole.ids)
        return tokens <= question.limit and (self.max_tokens is None or tokens - question.overhead <= self.max_tokens)

    def cut(self, question: Question, text: str, path: str) -> Iterator[TokenSequence]:
        """The sequences that are read of document `text`. Raises `RequestError` naming `path` when it is too long."""
        document = _Document.of(text, self.layout.encode(text))
        stop = min(len(document), self.max_tokens or len(document))
        start = document.word_after(stop - question.room) if self.fit == "keep_end" else 0
        for _ in range(self._most(stop)):
            sequence, end = self._longest(question, document, start, stop)
            if sequence is None or (self.fit == "refuse" and end < stop):
                raise _too_long(path, len(document), question)
            yield sequence
            if end >= stop:
                return
            start = max(start + 1, document.word_before(end - self.overlap, start + 1))

    def _most(self, tokens: int) -> int:
        return (self.max_chunks or tokens) if self.fit == "chunk" else 1

    def _longest(
        self, question: Question, document: _Document, start: int, stop: int
    ) -> tuple[TokenSequence | None, int]:
        """The sequence with as much as fits from token `start` on, and the token that it ends before.

        A piece by itself may have more tokens than it had in its document; then it is shortened.
        """
        end = start + question.room
        while end > start:
            end = stop if end >= stop else document.word_before(end, start + 1)
            piece = document.piece(start, end)
            (sequence,) = self.layout.join(question.query, [piece], question.instruction)
            excess = len(sequence.ids) - question.limit
            if excess <= 0:
                return sequence, end
            end -= excess
        return None, start


@dataclass(frozen=True, slots=True)
class _Document:
    """A document's tokens: where in the text each stands, and the number of the word that it belongs to."""

    text: str
    offsets: list[tuple[int, int]]
    words: list[int | None]

    @classmethod
    def of(cls, text: str, encoding: Encoding) -> _Document:
        return cls(text, encoding.offsets, encoding.word_ids)

    def __len__(self) -> int:
        return len(self.offsets)

    def piece(self, start: int, end: int) -> str:
        """The text of tokens `start` to `end`."""
        return self.text[self.offsets[start][0] : self.offsets[end - 1][1]]

    def word_before(self, token: int, least: int) -> int:
        """The last token up to `token` that begins a word; `token` itself if there is none from `least` on."""
        return next((at for at in range(token, least - 1, -1) if self._begins_word(at)), max(token, least))

    def word_after(self, token: int) -> int:
        """The first token from `token` on that begins a word; `token` itself if there is none. At least 0."""
        token = max(token, 0)
        return next((at for at in range(token, len(self)) if self._begins_word(at)), token)

    def _begins_word(self, at: int) -> bool:
        return at == 0 or self.words[at] is None or self.words[at] != self.words[at - 1]


def shortened(text: str, tokens: int, layout: Layout) -> str:
    """The first words of `text`, of at most `tokens` tokens; part of a word where the first one has more."""
    document = _Document.of(text, layout.encode(text))
    return document.piece(0, document.word_before(min(tokens, len(document)), 1))


def _too_long(path: str, tokens: int, question: Question) -> RequestError:
    return RequestError(
        f"'{path}' has {tokens} tokens, and beside its query there is room for {question.room} of the model's "
        f"{question.limit}: shorten it, or leave the truncation to the server.",
        param=path,
        code="context_length_exceeded",
    )
