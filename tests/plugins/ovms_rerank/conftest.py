"""The starter model `tiny-reranker`, in an engine of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from ovms_core.engine import ModelSpec
from ovms_rerank.engine.reranking import Reranker

Load = Callable[..., Reranker]


@pytest.fixture(scope="session")
def tiny_reranker() -> Path:
    """The folder of a small cross-encoder with one logit."""
    return Path(str(files("ovms_starter"))) / "models" / "tiny-reranker"


@pytest.fixture(scope="session")
def two_labels() -> Path:
    """The folder of a random ONNX cross-encoder with two labels."""
    return Path(__file__).parent / "data" / "two-labels"


@pytest.fixture(scope="session")
def engine(tiny_reranker: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reranker]:
    """tiny-reranker, loaded; all tests share it."""
    loaded = Reranker(_spec(tiny_reranker, tmp_path_factory.mktemp("work")))
    yield loaded
    loaded.close()


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Loads the model of a folder with the options that are given."""
    loaded = []

    def load(folder: Path, **options: Any) -> Reranker:
        loaded.append(Reranker(_spec(folder, tmp_path, **options)))
        return loaded[-1]

    yield load
    for engine in loaded:
        engine.close()


def _spec(folder: Path, work_dir: Path, **options: Any) -> ModelSpec:
    return ModelSpec(
        name="reranker", task="rerank", path=str(folder), work_dir=str(work_dir), device="CPU", options=options
    )
