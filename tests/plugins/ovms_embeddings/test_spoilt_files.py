"""Small files that somebody has spoilt: the model works, or an error names the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.mutations import Mutation, linked_copy, unnamed
from tests.plugins.ovms_embeddings.asking import embed
from tests.plugins.ovms_embeddings.conftest import Load

from ovms_core.model_files import ModelFiles
from ovms_embeddings.engine.recipe import read_recipe
from ovms_embeddings.options import EmbeddingsOptions
from ovms_embeddings.task import detect
from ovms_openvino.tokens import TextTokenizer

FILES = [
    "1_Pooling/config.json",
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
]
LOADED = (3, 39, 97, 122, 136)
"""A few mutations of different files that get as far as the engine; the last is refused there."""


@pytest.fixture
def folder(minilm_path: Path, tmp_path: Path) -> Path:
    """The starter model, whose files can be replaced."""
    folder = linked_copy(minilm_path, tmp_path / "model")
    prompts = {"prompts": {"query": "query: "}, "default_prompt_name": None, "similarity_fn_name": "cosine"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    return folder


def test_every_spoilt_file_is_read_or_named(load: Load, folder: Path) -> None:
    def read(mutation: Mutation) -> None:
        detect(ModelFiles.at(folder))
        read_recipe(folder, EmbeddingsOptions())
        if mutation.file.startswith("tokenizer"):
            TextTokenizer.load(folder)
        if mutation.number in LOADED:
            assert embed(load(folder), "hello").shape == (1, 384)

    assert unnamed(folder, FILES, read) == []
