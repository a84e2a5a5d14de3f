"""Small files that somebody has spoilt: the model works, or an error names the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.mutations import Mutation, linked_copy, unnamed
from tests.plugins.ovms_rerank.asking import scored
from tests.plugins.ovms_rerank.conftest import Load

from ovms_core.model_files import ModelFiles
from ovms_openvino.tokens import TextTokenizer
from ovms_rerank.engine.profile import Profile
from ovms_rerank.task import RerankOptions, detect

FILES = ["config.json", "sentence_bert_config.json", "tokenizer.json", "tokenizer_config.json"]
LOADED = (0, 8, 32, 61)
"""A few mutations of different files that get as far as the engine."""


@pytest.fixture
def folder(tiny_reranker: Path, tmp_path: Path) -> Path:
    """The starter model, whose files can be replaced."""
    folder = linked_copy(tiny_reranker, tmp_path / "model")
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 512, "do_lower_case": false}')
    return folder


def test_every_spoilt_file_is_read_or_named(load: Load, folder: Path) -> None:
    def read(mutation: Mutation) -> None:
        detect(ModelFiles.at(folder))
        Profile.read(folder, RerankOptions.model_validate({}))
        if mutation.file.startswith("tokenizer"):
            TextTokenizer.load(folder)
        if mutation.number in LOADED:
            assert len(scored(load(folder), "query", ["a", "b"]).log_odds) == 2

    assert unnamed(folder, FILES, read) == []
