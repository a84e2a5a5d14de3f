"""Finding the model file among a model's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ovms_core.errors import LoadError
from ovms_openvino.files import find_model_file, model_file_name, model_folder


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["openvino_model.xml", "model.onnx"], "openvino_model.xml"),
        (["openvino/openvino_model.xml", "onnx/model.onnx"], "openvino/openvino_model.xml"),
        (["model.onnx", "tokenizer.json"], "model.onnx"),
        (["onnx/model.onnx", "onnx/model_quantized.onnx"], "onnx/model.onnx"),
        (["onnx/model_int8.onnx", "onnx/model_fp16.onnx"], "onnx/model_int8.onnx"),
        (["openvino/openvino_model_qint8_quantized.xml"], "openvino/openvino_model_qint8_quantized.xml"),
        (["onnx/model_qint8_avx512.onnx"], "onnx/model_qint8_avx512.onnx"),
        (["openvino_tokenizer.xml", "openvino_detokenizer.xml"], None),
        (["unet/openvino_model.xml"], None),
        (["model.safetensors", "config.json"], None),
    ],
)
def test_the_model_file_is_found(names: list[str], found: str | None) -> None:
    assert model_file_name(frozenset(names)) == found


@pytest.mark.parametrize("name", ["model.onnx", "onnx/model.onnx", "openvino/openvino_model.xml"])
def test_the_folder_of_a_model_is_found_from_its_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.touch()
    assert find_model_file(tmp_path) == file
    assert find_model_file(file) == file
    assert model_folder(file) == model_folder(tmp_path) == tmp_path


def test_a_folder_without_a_model_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"neither openvino_model\.xml nor model\.onnx.*optimum-cli export"):
        find_model_file(tmp_path)
