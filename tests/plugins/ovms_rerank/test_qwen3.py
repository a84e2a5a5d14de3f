"""Qwen3-Reranker's architecture as Optimum exports it, against its model card's code (tests/data/make_qwen3.py)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.plugins.ovms_rerank.asking import scored
from tests.plugins.ovms_rerank.conftest import Load

from ovms_core.model_files import ModelFiles
from ovms_rerank.task import BY_NAME, detect

FOLDER = Path(__file__).parents[2] / "data" / "qwen3-reranker"


def test_it_is_a_reranker() -> None:
    assert detect(ModelFiles.at(FOLDER)) == BY_NAME


def test_its_scores_are_those_of_the_model_card(load: Load) -> None:
    reference = json.loads((FOLDER / "reference.json").read_text(encoding="utf-8"))
    engine = load(FOLDER)
    answer = scored(engine, reference["query"], reference["documents"])
    alone = [scored(engine, reference["query"], [document]).log_odds[0] for document in reference["documents"]]
    assert answer.log_odds == pytest.approx(reference["log_odds"], abs=1e-3)
    assert alone == pytest.approx(reference["log_odds"], abs=1e-3)
    assert answer.prompt_tokens == sum(reference["tokens"])
    assert engine.info().details["head"] == "yes_no"
