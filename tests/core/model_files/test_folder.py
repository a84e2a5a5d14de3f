from __future__ import annotations

from pathlib import Path

import pytest

from ovms_core.model_files import ModelFiles


def test_names_are_relative_and_asked_by_name_or_ending(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet/openvino_model.xml").touch()
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    files = ModelFiles.at(tmp_path)
    assert files.names == {"unet/openvino_model.xml", "model_index.json"}
    assert files.has("config.json", "model_index.json")
    assert not files.has("openvino_model.xml")
    assert files.ending(".xml", ".onnx") == ["unet/openvino_model.xml"]
    assert ModelFiles(tmp_path, frozenset({"model.GGUF"})).ending(".gguf") == ["model.GGUF"]
    assert files.json("model_index.json") == {"_class_name": "StableDiffusionPipeline"}


@pytest.mark.parametrize("text", ["[1]", "{broken", ""])
def test_a_file_that_is_no_json_object_says_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    assert ModelFiles.at(tmp_path).json("config.json") == {}
    assert ModelFiles.at(tmp_path).json("missing.json") == {}


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('\ufeff{"architectures": null}\r\n')
    assert ModelFiles.at(tmp_path).json("config.json") == {"architectures": None}


def test_a_single_file_is_its_own_only_name(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.touch()
    (tmp_path / "config.json").write_text("{}")
    assert ModelFiles.at(path).names == {"model.gguf"}
    assert ModelFiles.at(path).json("model.gguf") == {}


def test_nothing_at_a_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ModelFiles.at(tmp_path / "missing")
