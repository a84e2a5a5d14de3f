"""How long a prompt is for the model's text encoder."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import openvino_genai as genai

from ovms_core.engine import RequestError
from ovms_imagegen.messages import Draw

_T5_LENGTHS = {"tokenizer_2": 512, "tokenizer_3": 256}
"""Tokens that FLUX (second tokenizer) and Stable Diffusion 3 (third) read by default."""


class PromptGauge:
    """Counts a prompt's tokens with the tokenizer of the encoder that reads most of it: T5's, else CLIP's."""

    def __init__(self, folder: Path) -> None:
        name = _t5_tokenizer(folder)
        self._takes_length = name is not None
        self._limit = _T5_LENGTHS[name] if name else _clip_length(folder)
        self.count = lru_cache(maxsize=64)(self._count)
        self._tokenizer = genai.Tokenizer(folder / (name or "tokenizer"))

    def _count(self, text: str) -> int:
        """Tokens, those that mark begin and end included."""
        return int(self._tokenizer.encode(text).attention_mask.data.sum())

    def check(self, request: Draw, *, truncate: bool) -> None:
        """Raise `RequestError` when the model would not read a prompt to its end."""
        if request.max_sequence_length is not None and not self._takes_length:
            message = f"This model's text encoder always reads {self._limit} tokens: leave 'max_sequence_length' out."
            raise RequestError(message, param="max_sequence_length")
        limit = request.max_sequence_length or self._limit
        for field in ("prompt", "negative_prompt"):
            tokens = self.count(getattr(request, field) or "")
            if tokens > limit and not truncate:
                message = f"'{field}' has {tokens} tokens, and the model reads {limit}. Shorten it."
                raise RequestError(message, param=field, code="context_length_exceeded")


def _t5_tokenizer(folder: Path) -> str | None:
    for name in ("tokenizer_3", "tokenizer_2"):
        encoder = folder / name.replace("tokenizer", "text_encoder") / "config.json"
        if encoder.is_file() and json.loads(encoder.read_text("utf-8")).get("model_type") == "t5":
            return name
    return None


def _clip_length(folder: Path) -> int:
    config = json.loads((folder / "text_encoder" / "config.json").read_text("utf-8"))
    return int(config.get("max_position_embeddings", 77))
