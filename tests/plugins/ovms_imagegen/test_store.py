"""Pictures that are kept for a while."""

from __future__ import annotations

import errno
import time
from pathlib import Path

import pytest

from ovms_core.engine import RequestError
from ovms_imagegen.store import PictureStore, is_alive


def test_a_kept_picture_is_alive_until_its_time_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = PictureStore(tmp_path, ttl=60).keep(b"pixels", "png")
    assert is_alive(name)
    assert (tmp_path / name).read_bytes() == b"pixels"
    later = time.time() + 62
    monkeypatch.setattr(time, "time", lambda: later)
    assert not is_alive(name)


def test_the_next_picture_sweeps_away_what_is_over_and_nothing_else(tmp_path: Path) -> None:
    over = tmp_path / f"{'A' * 32}-1000.png"
    foreign = tmp_path / "holiday.png"
    over.touch()
    foreign.touch()
    name = PictureStore(tmp_path, ttl=60).keep(b"pixels", "webp")
    assert {file.name for file in tmp_path.iterdir()} == {foreign.name, name}


def test_a_folder_that_was_tidied_away_is_made_again(tmp_path: Path) -> None:
    store = PictureStore(tmp_path / "kept", ttl=60)
    assert (tmp_path / "kept" / store.keep(b"pixels", "png")).read_bytes() == b"pixels"


def test_a_picture_that_cannot_be_written_is_its_requests_error(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(RequestError, match="File exists") as caught:
        PictureStore(tmp_path / "kept", ttl=60).keep(b"pixels", "png")
    assert (caught.value.param, caught.value.status) == ("response_format", 500)
    assert str(tmp_path) not in caught.value.message


def test_half_a_picture_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "rename", disk_full)
    with pytest.raises(RequestError, match="No space left"):
        PictureStore(tmp_path, ttl=60).keep(b"pixels", "png")
    assert list(tmp_path.iterdir()) == []


def test_names_do_not_repeat(tmp_path: Path) -> None:
    store = PictureStore(tmp_path, ttl=60)
    assert len({store.keep(b"pixels", "png") for _ in range(50)}) == 50


@pytest.mark.parametrize(
    "name",
    ["", "holiday.png", "../" + "A" * 32 + "-99999999999.png", "A" * 32 + "-99999999999.svg", "A" * 32 + "-x.png"],
)
def test_other_names_are_never_alive(name: str) -> None:
    assert not is_alive(name)
