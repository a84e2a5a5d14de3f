"""A text generation model that repeats what it was told last, for tests with a real worker process."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from ovms_core.engine import DONE, Engine, EngineInfo, Gain, ModelSpec
from ovms_llm.messages import Chat, Delta, Generate, Started, Tokenize, Tokenized


class Parrot(Engine):
    """One word a step. A word is a token, of which the number is its place."""

    def __init__(self, model: ModelSpec) -> None:
        self._said: dict[int, Iterator[Any]] = {}

    def info(self) -> EngineInfo:
        return EngineInfo(slots=4, device="CPU", max_model_len=2048)

    def add(self, id: int, request: Generate | Tokenize) -> None:
        assert isinstance(request.prompt, Chat)
        words = request.prompt.messages[-1]["content"].split(" ")
        if isinstance(request, Tokenize):
            self._said[id] = iter([Tokenized(list(range(len(words))), max_model_len=2048)])
        else:
            self._said[id] = _said(words, request)

    def in_flight(self) -> Collection[int]:
        return self._said.keys()

    def cancel(self, id: int) -> None:
        self._said.pop(id, None)

    def step(self) -> Iterable[tuple[int, Gain]]:
        for id, events in list(self._said.items()):
            event = next(events, DONE)
            if event is DONE:
                del self._said[id]
            yield id, event


def _said(words: list[str], request: Generate) -> Iterator[Any]:
    if not request.started:
        yield Started(len(words))
    for place in range(len(request.emitted), len(words)):
        last = place == len(words) - 1
        yield Delta(0, words[place] + " " * (not last), [place], finish_reason="stop" if last else None)
