"""Incremental detokenisation: which text a sequence's new tokens add."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

Decode = Callable[[list[list[int]]], list[str]]

# A character has at most four bytes, so at most four tokens: with that many tokens of context what
# precedes a new token is never cut inside a character that the new token completes.
_CONTEXT: Final = 4
_REPLACEMENT: Final = "\ufffd"
# A model may emit U+FFFD itself, or invalid bytes: a character is not waited for longer than this.
_PATIENCE: Final = 8


class Detokenizer:
    """One sequence's place in its text.

    The text of new tokens is the difference between two short windows decoded in one call: the last
    tokens already shown, with and without the new ones. (The scheme of vLLM's
    `detokenize_incrementally`.) It is right for vocabularies that merge or drop spaces at the start,
    and costs the same however long the text is. `context` are the last tokens of the prompt.
    """

    __slots__ = ("_pending", "_shown")

    def __init__(self, context: Sequence[int] = ()) -> None:
        self._shown = list(context[-_CONTEXT:])
        self._pending: list[int] = []

    def windows(self, tokens: Iterable[int]) -> tuple[list[int], list[int]]:
        """Take `tokens` in, and say which two token sequences must be decoded."""
        self._pending.extend(tokens)
        return self._shown, self._shown + self._pending

    def advance(self, before: str, after: str, *, last: bool = False) -> str:
        """The new text, given the two windows as text; what could be half a character stays back until `last`."""
        if after.endswith(_REPLACEMENT) and not last and len(self._pending) < _PATIENCE:
            return ""
        self._shown = (self._shown + self._pending)[-_CONTEXT:]
        self._pending = []
        return after[len(before) :]

    def replay(self, tokens: Sequence[int], decode: Decode) -> str:
        """Take in `tokens` that were given before, one by one, and say the text that they showed."""
        cuts = range(len(tokens), max(-1, len(tokens) - _PATIENCE), -1)
        context = self._shown
        before, *texts = decode([context, *(context + list(tokens[:cut]) for cut in cuts)])
        chosen = next((i for i, text in enumerate(texts) if not text.endswith(_REPLACEMENT)), 0)
        cut = cuts[chosen]
        self._shown = (context + list(tokens[:cut]))[-_CONTEXT:]
        self._pending = list(tokens[cut:])
        return texts[chosen][len(before) :]
