from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.support import another_user

from ovms_core.models.reference import Reference
from ovms_core.models.repository import Repository, _decode, _encode, default_root
from ovms_core.models.source import FetchProgress, Offer, SourceError

REFERENCE = Reference("share", "org/name:Q4")


@dataclass
class Share:
    """A source that does what the test tells it to."""

    act: Callable[[Path, FetchProgress], None]
    located: Path | None = None
    calls: int = 0
    scheme: str = "share"

    def locate(self, name: str) -> Path | None:
        return self.located

    def fetch(self, name: str, into: Path, *, offline: bool, progress: FetchProgress) -> None:
        self.calls += 1
        self.act(into, progress)

    def offers(self) -> Sequence[Offer]:
        return ()


def deliver(into: Path, progress: FetchProgress) -> None:
    (into / "unet").mkdir(exist_ok=True)
    (into / "unet/model.xml").write_bytes(b"12345")


def ignore(done: int, total: int | None) -> None: ...


def fetch(repository: Repository, source: Share, progress: FetchProgress = ignore) -> Path:
    return repository.fetch(source, REFERENCE, offline=False, progress=progress)


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder for temporary files of a user who has no other."""
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_user_without_a_home_folder_has_models_among_the_temporary_files_and_is_told(
    homeless: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = homeless / f"ovms-{os.getuid()}" / "models"
    assert Repository().root == root
    assert f"models are kept in {root}" in caplog.text


def open_to_all(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


@pytest.mark.parametrize("prepare", [open_to_all, lambda path: path.symlink_to("/srv")])
def test_a_folder_that_another_user_may_have_prepared_is_not_used(
    homeless: Path, prepare: Callable[[Path], None]
) -> None:
    prepare(homeless / f"ovms-{os.getuid()}")
    assert homeless not in default_root().parents


def test_a_home_folder_is_found_for_those_who_cannot_do_without_one(
    homeless: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.equip()
    assert Path.home() == repository.root / ".work" / "home"
    monkeypatch.setenv("HOME", "/elsewhere")
    repository.equip()
    assert Path.home() == Path("/elsewhere")


def test_a_repository_of_another_user_says_whose_fault_it_is(repository: Repository) -> None:
    fetch(repository, Share(deliver))
    repository.root.chmod(0o700)
    with another_user():
        for act in (repository.has, repository.remove):
            with pytest.raises(SourceError, match=r"cannot be used by this user \(Permission denied\)"):
                act(REFERENCE)
        with pytest.raises(SourceError, match="cannot be used by this user"):
            repository.list()
        work = repository.work_dir("m", Path("/m"))
        assert repository.root not in work.parents
        (work / "derived").touch()


def test_a_model_is_fetched_once(repository: Repository) -> None:
    source = Share(deliver)
    path = fetch(repository, source)
    assert path == repository.path_of(REFERENCE) == fetch(repository, source)
    assert (path / "unet/model.xml").read_bytes() == b"12345"
    assert source.calls == 1


def test_a_located_model_is_served_from_where_it_is(repository: Repository, tmp_path: Path) -> None:
    source = Share(deliver, located=tmp_path)
    assert fetch(repository, source) == tmp_path
    assert source.calls == 0
    assert not repository.root.exists(), "nothing is written for it"


def test_the_list_has_references_and_sizes(repository: Repository) -> None:
    assert repository.list() == []
    path = fetch(repository, Share(deliver))
    (model,) = repository.list()
    assert (model.reference, model.path, model.size) == (REFERENCE, path, 5)


def test_a_fetch_that_fails_leaves_nothing_in_sight_and_its_parts_for_the_next(repository: Repository) -> None:
    def half(into: Path, progress: FetchProgress) -> None:
        (into / "half").touch()
        raise SourceError("the line is cut")

    def rest(into: Path, progress: FetchProgress) -> None:
        assert (into / "half").exists()

    with pytest.raises(SourceError, match="the line is cut"):
        fetch(repository, Share(half))
    assert repository.list() == []
    assert not repository.has(REFERENCE)
    fetch(repository, Share(rest))
    assert repository.has(REFERENCE)


def test_a_source_that_delivers_nothing_is_an_error(repository: Repository) -> None:
    with pytest.raises(SourceError, match="returned no files"):
        fetch(repository, Share(lambda into, progress: None))


def test_a_full_disk_is_said_clearly(repository: Repository) -> None:
    def fill(into: Path, progress: FetchProgress) -> None:
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(SourceError, match=r"is full: free space, or put the models elsewhere with --model-repository"):
        fetch(repository, Share(fill))
    assert repository.list() == []


def test_a_repository_that_cannot_be_written_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="could not be stored"):
        fetch(Repository(tmp_path / "file/repository"), Share(deliver))


def test_threads_that_want_one_model_wait_for_one_fetch(repository: Repository) -> None:
    waiting = threading.Event()

    def slow(into: Path, progress: FetchProgress) -> None:
        assert waiting.wait(30)
        deliver(into, progress)

    first, second = Share(slow), Share(deliver)
    threads = [threading.Thread(target=fetch, args=(repository, first))]
    threads[0].start()
    while not first.calls:
        threads[0].join(0.01)
    threads.append(
        threading.Thread(target=fetch, args=(repository, second, lambda done, total: waiting.set()))
    )  # a waiting fetch tells its progress that nothing has come yet
    threads[1].start()
    for thread in threads:
        thread.join()
    assert (first.calls, second.calls) == (1, 0)


def test_waiting_for_another_fetch_can_be_stopped(repository: Repository) -> None:
    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    def blocked(into: Path, progress: FetchProgress) -> None:
        with pytest.raises(KeyboardInterrupt):
            fetch(Repository(repository.root), Share(deliver), stop)
        deliver(into, progress)

    fetch(repository, Share(blocked))


def test_removal_takes_what_was_derived_along(repository: Repository, tmp_path: Path) -> None:
    path = fetch(repository, Share(deliver))
    derived = repository.work_dir("name", path)
    other = repository.work_dir("name", tmp_path)
    assert repository.remove(REFERENCE)
    assert not path.exists()
    assert not derived.exists()
    assert other.exists()
    assert not repository.remove(REFERENCE)
    assert list((repository.root / ".partial").iterdir()) == []


def test_a_work_folder_belongs_to_one_model_at_one_place(repository: Repository, tmp_path: Path) -> None:
    here = repository.work_dir("org/name", tmp_path / "a")
    assert here.is_dir()
    assert here == repository.work_dir("org/name", tmp_path / "a")
    assert here != repository.work_dir("org/name", tmp_path / "b")
    assert here.parent == repository.work_dir("..", tmp_path / "a").parent


def test_a_repository_that_cannot_be_written_lends_a_work_folder_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    repository = Repository(tmp_path / "file")
    first, second = repository.work_dir("name", tmp_path / "a"), repository.work_dir("name", tmp_path / "b")
    assert first != second
    (first / "derived").touch()
    del repository
    gc.collect()
    assert not first.exists()


def test_the_usual_names_stay_readable(repository: Repository) -> None:
    path = repository.path_of(Reference("hf", "OpenVINO/Qwen3-8B-int4-ov"))
    assert path == repository.root / "hf/OpenVINO--Qwen3-8B-int4-ov"


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1) | st.text("-/.a%", min_size=1))
def test_any_name_is_one_folder_and_can_be_read_back(name: str) -> None:
    encoded = _encode(name)
    assert _decode(encoded) == name
    assert "/" not in encoded
    assert not encoded.startswith(".")


def test_models_are_kept_in_the_users_cache_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_root().parts[-2:] == ("ovms", "models")
    assert Repository().root == default_root()
