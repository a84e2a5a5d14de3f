"""A real model, and a way to run requests on its engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ovms_core.engine import DONE, Gain, ModelSpec, RequestError
from ovms_llm.engine.text_generation import TextGeneration
from ovms_llm.messages import AnyRequest, Delta, Generate, Prompt, Sampling, Text


@pytest.fixture(scope="session")
def converted_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder that all engines of a run share, so that the model is converted once."""
    return tmp_path_factory.mktemp("work")


@dataclass
class Outcome:
    """All that a request gained."""

    gains: list[Gain] = field(default_factory=list)

    @property
    def deltas(self) -> list[Delta]:
        return [gain for gain in self.gains if isinstance(gain, Delta)]

    def text(self, index: int = 0) -> str:
        return "".join(delta.text for delta in self.deltas if delta.index == index)

    def tokens(self, index: int = 0) -> list[int]:
        return [token for delta in self.deltas if delta.index == index for token in delta.tokens]

    def last(self, index: int = 0) -> Delta:
        return [delta for delta in self.deltas if delta.index == index][-1]


def run(engine: TextGeneration, *requests: AnyRequest, steps: int = 5000) -> list[Outcome]:
    """Run `requests` together until all are done."""
    outcomes = [Outcome() for _ in requests]
    for id, request in enumerate(requests):
        engine.add(id, request)
    ended = 0
    for _ in range(steps):
        if ended == len(requests):
            return outcomes
        for id, gain in engine.step():
            outcomes[id].gains.append(gain)
            ended += gain is DONE or isinstance(gain, RequestError)
    raise AssertionError(f"{len(requests) - ended} requests did not end in {steps} steps")


def generate(prompt: Prompt | str, emitted: list[int] | None = None, **sampling: Any) -> Generate:
    """A greedy request, unless `sampling` says otherwise."""
    sampling = {"temperature": 0.0, "max_tokens": 32} | sampling
    asked = Text(prompt) if isinstance(prompt, str) else prompt
    return Generate(prompt=asked, sampling=Sampling(**sampling), emitted=emitted or [])


MakeEngine = Callable[..., TextGeneration]


@pytest.fixture(scope="session")
def make_engine(smollm2_path: Path, converted_dir: Path) -> MakeEngine:
    def make(path: Path = smollm2_path, device: str = "CPU", **options: Any) -> TextGeneration:
        return TextGeneration(
            ModelSpec(
                name="smollm2",
                task="text_generation",
                path=str(path),
                work_dir=str(converted_dir),
                device=device,
                options=options,
            )
        )

    return make


@pytest.fixture(scope="session")
def engine(make_engine: MakeEngine) -> Iterator[TextGeneration]:
    """A deterministic engine."""
    engine = make_engine(cache_size=0.2, deterministic=True, grammar_timeout=120)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def small_engine(make_engine: MakeEngine) -> Iterator[TextGeneration]:
    """A deterministic engine whose cache is soon full."""
    engine = make_engine(cache_size=0.0272, deterministic=True)  # 16 blocks, and the companion's three
    yield engine
    engine.close()
