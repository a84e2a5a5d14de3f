"""How long a prompt is for the model's text encoders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import openvino_genai as genai

from ovms_core.engine import LoadError, RequestError
from ovms_imagegen.engine.family import Encoder
from ovms_imagegen.messages import Draw
from ovms_openvino.failure import reason


class PromptGauge:
    """Counts a prompt's tokens with the tokenizer of the encoder that reads most of it."""

    def __init__(self, folder: Path, encoders: Sequence[Encoder]) -> None:
        self._folder = folder
        self._encoders = encoders
        self._tokenizer = lru_cache(maxsize=None)(self._load)
        self._count = lru_cache(maxsize=64)(self._tokens)
        self._tokenizer(self._widest("prompt", Draw(model="", seed=0, prompt="")).tokenizer)

    def count(self, request: Draw) -> int:
        """Tokens of the prompt, those that mark begin and end included."""
        return self._count(self._widest("prompt", request).tokenizer, request.prompt)

    def check(self, request: Draw, *, truncate: bool) -> None:
        """Raise `RequestError` when the model would not read a prompt to its end."""
        for field in ("prompt", "prompt_2", "prompt_3", "negative_prompt"):
            text = getattr(request, field)
            if text and not truncate:
                self._check(field, text, self._widest(field, request), request.max_sequence_length)

    def _check(self, field: str, text: str, encoder: Encoder, length: int | None) -> None:
        tokens, limit = self._count(encoder.tokenizer, text), length or encoder.tokens
        if tokens > limit:
            message = f"'{field}' has {tokens} tokens, and the model reads {limit}. Shorten it."
            raise RequestError(message, param=field, code="context_length_exceeded")

    def _widest(self, field: str, request: Draw) -> Encoder:
        return max(self._readers(field, request), key=lambda encoder: encoder.tokens)

    def _readers(self, field: str, request: Draw) -> Iterator[Encoder]:
        """The encoders that read `field`: its own, and of `prompt` all those whose own is not given."""
        for encoder in self._encoders:
            given = encoder.field if getattr(request, encoder.field) is not None else "prompt"
            if field in (given, "negative_prompt"):
                yield encoder

    def _load(self, tokenizer: str) -> genai.Tokenizer:
        try:
            return genai.Tokenizer(self._folder / tokenizer)
        except RuntimeError as error:
            message = f"The tokenizer in '{tokenizer}' of the model cannot be loaded: {reason(error)}. Export it anew."
            raise LoadError(message) from error

    def _tokens(self, tokenizer: str, text: str) -> int:
        return int(self._tokenizer(tokenizer).encode(text).attention_mask.data.sum())
