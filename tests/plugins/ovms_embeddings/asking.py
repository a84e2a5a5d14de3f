"""Asking an engine as the worker does: add, step until done."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovms_core.engine import DONE, Engine, RequestError
from ovms_embeddings.messages import Embed, Embedded

Vectors = NDArray[np.float32]
_ids = count(1)


def ask(engine: Engine, *requests: Embed) -> list[Embedded]:
    """The answers to `requests`, in flight together. Raises what the engine refuses one with."""
    answers: dict[int, Embedded] = {}
    waiting = [next(_ids) for _ in requests]
    open_ids = set(waiting)
    for id, request in zip(waiting, requests, strict=True):
        engine.add(id, request)
    while open_ids:
        for id, gain in engine.step():
            if isinstance(gain, RequestError):
                raise gain
            if gain is DONE:
                open_ids.discard(id)
            else:
                assert isinstance(gain, Embedded)
                answers[id] = gain
    return [answers[id] for id in waiting]


def embed(engine: Engine, *inputs: str | list[int], **fields: Any) -> Vectors:
    """The vectors of `inputs`, asked for in one request."""
    return vectors(ask(engine, Embed(inputs=list(inputs), **fields))[0])


def vectors(embedded: Embedded) -> Vectors:
    """The vectors of an answer, as rows."""
    return np.stack([np.frombuffer(vector, "<f4") for vector in embedded.vectors])


def cosines(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """The cosine of each row of `left` with the same row of `right`."""
    product: NDArray[Any] = (left * right).sum(axis=1)
    result: NDArray[Any] = product / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    return result
