"""Embeddings bodies, vectors as JSON, and detection: what the server process does by itself."""

from __future__ import annotations

import json
import math
import struct
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import msgspec
import pytest

from ovms_core.plugin import ModelFiles, decode_body
from ovms_embeddings.http.body import EmbeddingsBody
from ovms_embeddings.http.vectors import as_base64, as_floats
from ovms_embeddings.task import BY_NAME, EMBEDDINGS, detect

NUMBERS = (0.1, -2.5, 1e-7, 3.4028234663852886e38)
VECTOR = struct.pack("<4f", *NUMBERS)


def test_floats_survive_as_the_same_float32_values() -> None:
    read = json.loads(msgspec.json.encode(as_floats(VECTOR)))
    assert struct.pack("<4f", *read) == VECTOR


def test_base64_is_the_little_endian_bytes() -> None:
    assert b64decode(json.loads(msgspec.json.encode(as_base64(VECTOR)))) == VECTOR


@pytest.mark.parametrize(
    ("input_", "inputs"),
    [("a", ["a"]), (["a", "b"], ["a", "b"]), ([1, 2], [[1, 2]]), ([[1], [2, 3]], [[1], [2, 3]]), ([], [])],
)
def test_every_form_of_input_is_one_list(input_: object, inputs: list[object]) -> None:
    assert EmbeddingsBody.model_validate({"input": input_}).inputs() == inputs


@pytest.mark.parametrize("name", ["normalize", "normalized"])
def test_jinas_name_for_normalize_is_no_slip(name: str) -> None:
    body, ignored = decode_body(json.dumps({"input": "a", name: False}).encode(), EmbeddingsBody)
    assert (body.normalize, ignored) == (False, [])


def model(folder: Path, *names: str, architecture: str | None = None) -> ModelFiles:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    if architecture:
        (folder / "config.json").write_text(json.dumps({"architectures": [architecture]}))
    return ModelFiles.at(folder)


@pytest.mark.parametrize(
    ("names", "architecture", "score"),
    [
        (["onnx/model.onnx", "modules.json"], "BertModel", 90),
        (["openvino_model.xml", "modules.json"], "Qwen3ForCausalLM", 90),
        (["openvino/openvino_model.xml"], "XLMRobertaModel", 70),
        (["model.onnx"], "BertModel", 70),
        (["openvino_model.xml"], "MistralModel", 70),
        (["model.onnx"], "BertForSequenceClassification", 0),
        (["model.onnx", "modules.json"], "BertForSequenceClassification", 0),
        (["openvino_model.xml"], "Qwen3ForCausalLM", 0),
        (["model.safetensors", "modules.json"], "BertModel", 0),
        (["model.onnx"], None, 0),
    ],
)
def test_embedding_models_are_recognised(tmp_path: Path, names: list[str], architecture: str, score: int) -> None:
    assert detect(model(tmp_path / "model", *names, architecture=architecture)) == score


@pytest.mark.parametrize("kind", ["CrossEncoder", "SparseEncoder"])
def test_what_else_sentence_transformers_saves_is_no_embedding_model(tmp_path: Path, kind: str) -> None:
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps({"model_type": kind}))
    assert detect(model(tmp_path, "openvino_model.xml", "modules.json", architecture="Qwen3ForCausalLM")) == 0


def test_a_decoder_without_the_files_of_sentence_transformers_is_told_by_its_name(tmp_path: Path) -> None:
    names = ["openvino_model.xml", "openvino_tokenizer.xml"]
    folders = [tmp_path / name for name in ("OpenVINO--Qwen3-Embedding-0.6B-int8-ov", "Qwen3-8B-int4-ov")]
    assert [detect(model(folder, *names, architecture="Qwen3ForCausalLM")) for folder in folders] == [BY_NAME, 0]


def test_options_are_checked_before_anything_loads() -> None:
    assert EMBEDDINGS.options.model_validate({"pooling": "cls"}).model_dump()["pooling"] == "cls"
    with pytest.raises(ValueError, match="pooling"):
        EMBEDDINGS.options.model_validate({"pooling": "median"})


def test_numbers_that_are_none_never_reach_a_client() -> None:
    assert msgspec.json.encode(as_floats(struct.pack("<f", math.nan))) == b"[null]"


def test_the_server_side_imports_nothing_heavy() -> None:
    check = """
import sys
import ovms_embeddings.hooks
heavy = {"openvino", "numpy", "tokenizers"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    subprocess.run([sys.executable, "-c", check], check=True)
