"""A sequence that nobody asked for: it keeps every step of a deterministic engine larger than one token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
import openvino as ov
import openvino_genai as genai

from ovms_llm.model.budget import Cache

_BLOCKS: Final = 2
_RESERVED: Final = _BLOCKS + 1
"""An old companion holds its blocks for a step beside a new one's first."""


class Companion:
    """Runs beside the sequences of `pipeline` while there are any.

    The CPU computes a step of one token with other kernels (a matrix times a vector) than larger steps, whose sums it
    rounds differently. In steps of two tokens and more, those of a sequence come out bit for bit the same, whatever
    else is in them (measured in docs/engine-notes.md). So a text is the same alone and in company if it is never
    really alone.
    """

    def __init__(self, pipeline: Any, block_size: int, ids: Iterator[int]) -> None:
        self._pipeline = pipeline
        self._ids = ids
        self._life = _BLOCKS * block_size - 1
        self._handle: Any = None
        self._age = 0

    @staticmethod
    def leaves(cache: Cache) -> Cache:
        """What of `cache` is left for requests."""
        return replace(cache, blocks=max(1, cache.blocks - _RESERVED))

    def join(self, *, prompts_wait: bool) -> None:
        """See to it that the companion is in the next step.

        It is replaced before it is too long. A new one has to be read like any prompt, for which a step may have no
        room while long prompts are read: so the last moment is not waited for when there are none.
        """
        self._age += 1
        if self._handle is None or self._age >= (self._life if prompts_wait else self._life // 2):
            self.leave()
            config = genai.GenerationConfig(max_new_tokens=self._life, ignore_eos=True)
            self._handle = self._pipeline.add_request(next(self._ids), ov.Tensor(np.zeros((1, 1), np.int64)), config)
            self._age = 0

    def leave(self) -> bool:
        """Take the companion out; whether there was one, whose blocks are free after one more step."""
        if self._handle is None:
            return False
        self._handle.cancel()
        self._handle = None
        return True
