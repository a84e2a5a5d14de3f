"""Folders that are derived from a model's files."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ovms_core.errors import LoadError
from ovms_openvino.derived import derived, prepared


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model's folder, with a cache of some tool's."""
    folder = tmp_path / "model"
    for name in ("config.json", "weights.bin", "tokenizer/vocab.json", ".cache/lock", ".gitattributes"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"the model's {name}")
    return folder


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A path where no folder can be made, by root neither."""
    (tmp_path / "file").touch()
    return tmp_path / "file/folder"


def texts(folder: Path) -> dict[str, str]:
    names = [file for file in folder.rglob("*") if file.is_file() and file.name != "derived.json"]
    return {file.relative_to(folder).as_posix(): file.read_text() for file in names}


def test_where_there_is_nothing_to_change_the_model_itself_is_used(model: Path, tmp_path: Path) -> None:
    assert prepared(model, tmp_path / "work/prepared", {}) == model
    assert not (tmp_path / "work").exists()


def test_a_prepared_folder_has_links_to_all_but_what_is_new(model: Path, tmp_path: Path) -> None:
    contents = {"config.json": "{}", "tokenizer/config.json": "[]", "weights.bin": None}
    folder = prepared(model, tmp_path / "work/prepared", contents, lambda target: (target / "more").touch())
    assert texts(folder) == {
        "config.json": "{}",
        "tokenizer/config.json": "[]",
        "tokenizer/vocab.json": "the model's tokenizer/vocab.json",
        "more": "",
    }
    assert (folder / "tokenizer/vocab.json").samefile(model / "tokenizer/vocab.json")
    assert (model / "config.json").read_text() == "the model's config.json"


def test_it_is_made_again_when_the_model_has_changed_and_not_before(model: Path, tmp_path: Path) -> None:
    made: list[Path] = []

    def prepare(text: str = "{}") -> Path:
        return prepared(model, tmp_path / "prepared", {"config.json": text}, made.append)

    prepare()
    prepare()
    assert len(made) == 1
    assert texts(prepare("[]"))["config.json"] == "[]"
    (model / "weights.bin").unlink()
    (model / "weights.bin").write_text("other weights")
    assert texts(prepare("[]"))["weights.bin"] == "other weights"
    (model / "added.bin").touch()
    assert "added.bin" in texts(prepare("[]"))
    assert len(made) == 4


def test_a_folder_that_cannot_be_made_whole_is_not_there(model: Path, tmp_path: Path) -> None:
    def fail(target: Path) -> None:
        (target / "half").touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target / "half")

    with pytest.raises(LoadError, match=r"No space left on device, half.*make room in the model repository"):
        derived(tmp_path / "work/folder", [model / "config.json"], 1, fail)
    assert [path for path in (tmp_path / "work").iterdir() if not path.name.startswith(".")] == []


def test_a_place_that_cannot_be_written_is_told(closed: Path, model: Path) -> None:
    with pytest.raises(LoadError, match=r"cannot be written .*--model-repository"):
        prepared(model, closed, {"config.json": ""})


def test_engines_that_start_together_make_it_once(model: Path, tmp_path: Path) -> None:
    made: list[Path] = []
    with ThreadPoolExecutor(8) as threads:
        folders = list(
            threads.map(lambda _: derived(tmp_path / "folder", [model / "config.json"], 1, made.append), range(8))
        )
    assert set(folders) == {tmp_path / "folder"}
    assert len(made) == 1
