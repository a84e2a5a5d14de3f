"""Small files that somebody has spoilt: the model works, or an error names the file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.mutations import mutations
from tests.plugins.ovms_embeddings.asking import embed
from tests.plugins.ovms_embeddings.conftest import Load

from ovms_core.engine import LoadError
from ovms_core.models.files import ModelFiles
from ovms_core.openvino.tokens import TextTokenizer
from ovms_embeddings.options import EmbeddingsOptions
from ovms_embeddings.recipe import read_recipe
from ovms_embeddings.task import detect

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
    folder = tmp_path / "model"
    shutil.copytree(minilm_path, folder, copy_function=lambda source, target: Path(target).symlink_to(source))
    prompts = {"prompts": {"query": "query: "}, "default_prompt_name": None, "similarity_fn_name": "cosine"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    return folder


def test_every_spoilt_file_is_read_or_named(load: Load, folder: Path) -> None:
    whole = {name: (folder / name).read_bytes() for name in FILES}
    unnamed: list[str] = []
    for mutation in mutations(folder, FILES):
        mutation.apply(folder)
        detect(ModelFiles.at(folder))
        try:
            read_recipe(folder, EmbeddingsOptions())
            if mutation.file.startswith("tokenizer"):
                TextTokenizer.load(folder)
            if mutation.number in LOADED:
                assert embed(load(folder), "hello").shape == (1, 384)
        except LoadError as error:
            if mutation.file not in str(error):
                unnamed.append(f"{mutation}: {error}")
        (folder / mutation.file).write_bytes(whole[mutation.file])
    assert unnamed == []
