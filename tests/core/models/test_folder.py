from __future__ import annotations

from pathlib import Path

import pytest
from tests.core.support import another_user

from ovms_core.models.folder import FolderSource
from ovms_core.models.source import SourceError


def test_a_folder_and_a_model_file_are_located_where_they_are(tmp_path: Path) -> None:
    model = tmp_path / "model.GGUF"
    model.write_bytes(b"GGUF")
    assert FolderSource().locate(str(tmp_path)) == tmp_path
    assert FolderSource().locate(str(model)) == model


def test_any_shard_of_a_gguf_means_the_first_and_a_missing_one_is_named(tmp_path: Path) -> None:
    first, second = (tmp_path / f"m-0000{number}-of-00002.gguf" for number in (1, 2))
    second.touch()
    with pytest.raises(SourceError, match=r"m-00001-of-00002\.gguf is not beside it"):
        FolderSource().locate(str(second))
    first.touch()
    assert FolderSource().locate(str(second)) == first
    assert FolderSource().locate(str(first)) == first


@pytest.mark.parametrize("name", ["openvino_model.xml", "model.onnx"])
def test_a_file_that_needs_what_lies_beside_it_means_its_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    assert FolderSource().locate(str(tmp_path / name)) == tmp_path


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "qwen").mkdir()
    (tmp_path / "qwen/openvino_model.xml").touch()
    monkeypatch.chdir(tmp_path)
    assert FolderSource().locate("./qwen") == tmp_path / "qwen"


def test_a_path_that_this_user_may_not_look_at_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with another_user(), pytest.raises(SourceError, match=r"'.*model' cannot be read by this user \(Permission denied"):
        FolderSource().locate(str(tmp_path / "model"))


def test_a_missing_path_names_its_nearest_neighbour(tmp_path: Path) -> None:
    (tmp_path / "qwen3").mkdir()
    with pytest.raises(SourceError, match=r"Did you mean '.*qwen3'"):
        FolderSource().locate(str(tmp_path / "qwen-3"))


def test_a_file_of_a_hub_repository_without_its_scheme_is_told_how_to_be_named() -> None:
    with pytest.raises(SourceError, match=r"named hf:org/name/file\.gguf"):
        FolderSource().locate("org/name/file.gguf")


def test_an_empty_folder_and_a_file_that_is_no_model_are_refused(tmp_path: Path) -> None:
    notes = tmp_path / "full/notes.txt"
    notes.parent.mkdir()
    notes.touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="empty folder"):
        FolderSource().locate(str(tmp_path / "empty"))
    with pytest.raises(SourceError, match=r"ends in \.gguf, \.onnx, \.xml"):
        FolderSource().locate(str(notes))
