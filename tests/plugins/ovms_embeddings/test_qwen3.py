"""Qwen3-Embedding's architecture as Optimum exports it, against sentence-transformers (tests/data/make_qwen3.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.plugins.ovms_embeddings.asking import ask, cosines, embed, vectors
from tests.plugins.ovms_embeddings.conftest import Load

from ovms_core.model_files import ModelFiles
from ovms_embeddings.messages import Embed
from ovms_embeddings.task import detect

FOLDER = Path(__file__).parents[2] / "data" / "qwen3-embedding"


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / "reference.json").read_text(encoding="utf-8"))
    return document


def test_it_is_an_embedding_model() -> None:
    assert detect(ModelFiles.at(FOLDER)) == 90


@pytest.mark.parametrize("options", [{}, {"pooling": "last"}])
def test_its_vectors_are_those_of_sentence_transformers(
    load: Load, reference: dict[str, Any], options: dict[str, Any]
) -> None:
    engine = load(FOLDER, **options)
    texts = reference["texts"]
    documents, queries = ask(engine, Embed(inputs=texts), Embed(inputs=texts, input_type="query"))
    assert cosines(vectors(documents), np.array(reference["documents"])).min() >= 0.9999
    assert cosines(vectors(queries), np.array(reference["queries"])).min() >= 0.9999
    assert documents.prompt_tokens == sum(reference["tokens"])
    assert (engine.info().details["self_test"], engine.info().max_model_len) == ("passed", 2048)


def test_a_vector_does_not_depend_on_its_neighbours(load: Load, reference: dict[str, Any]) -> None:
    engine = load(FOLDER)
    alone = np.concatenate([embed(engine, text) for text in reference["texts"]])
    assert cosines(alone, embed(engine, *reference["texts"])).min() >= 1 - 1e-4
