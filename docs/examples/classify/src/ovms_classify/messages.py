"""What the endpoint and the engine say to each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from ovms_core.plugin import Event, Request


class Classify(Request, tag="classify"):
    """Classify texts. With `truncate`, what is too long is cut instead of refused."""

    texts: list[str]
    truncate: bool = False

    def resumed(self, events: Sequence[Any]) -> Self:
        """There is one event at most, so an engine that died before it begins again."""
        return self


class Classified(Event, tag="classified", array_like=True):
    """A probability for each of `labels`, for each text of the request."""

    labels: list[str]
    probabilities: list[list[float]]
    prompt_tokens: int
