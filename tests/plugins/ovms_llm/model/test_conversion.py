"""Converting GGUF: once, as a whole, and again when the file is another one."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gguf import GGUFWriter

from ovms_core.engine import LoadError
from ovms_llm.model.gguf import STRETCHED, converted, read_metadata, warnings_of

# A conversion that has written a part of the model, says so, and never ends.
_NEVER_ENDING = """
import sys, signal
from pathlib import Path
from ovms_llm.model.gguf import converted

def convert(source):
    (source.parent / "openvino_model.xml").write_text("half a model")
    print("begun", flush=True)
    signal.pause()

converted([Path(sys.argv[1])], Path(sys.argv[2]), convert)
"""

# A conversion that opens the file as GenAI does, with the folder of the file bound read-only.
_READ_ONLY = """
import subprocess, sys
from pathlib import Path
from ovms_llm.model.gguf import converted

source, work = map(Path, sys.argv[1:])
subprocess.run(["mount", "--bind", source.parent, source.parent], check=True)
subprocess.run(["mount", "-o", "remount,bind,ro", source.parent], check=True)

def convert(file):
    file.open("r+b").close()
    (file.parent / "openvino_model.xml").write_text("a whole model")

converted([source], work, convert)
"""
_UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]


def _can_mount() -> bool:
    command = [*_UNSHARE, "mount", "--bind", "/tmp", "/tmp"]
    return shutil.which("unshare") is not None and subprocess.run(command, check=False).returncode == 0


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A GGUF file without weights."""
    path = tmp_path / "model.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(2048)
    writer.add_name("Tiny")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write(source: Path) -> None:
    (source.parent / "openvino_model.xml").write_text("a whole model")


def _never(source: Path) -> None:
    raise AssertionError("it was converted again")


def test_metadata_is_read(source: Path) -> None:
    metadata = read_metadata(source)
    assert metadata["general.name"] == "Tiny"
    assert metadata["llama.context_length"] == 2048


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, []),
        ({"llama.rope.scaling.type": "none", STRETCHED: False}, []),
        ({"llama.rope.scaling.type": "yarn"}, ["yarn"]),
        ({STRETCHED: True}, ["rope_freqs"]),
    ],
)
def test_positions_that_genai_does_not_stretch_are_warned_of(metadata: dict[str, Any], words: list[str]) -> None:
    warnings = warnings_of({"general.architecture": "llama"} | metadata)
    assert len(warnings) == len(words)
    assert all(word in warning for word, warning in zip(words, warnings, strict=True))


def test_a_model_is_converted_once(source: Path, tmp_path: Path) -> None:
    folder = converted([source], tmp_path / "work", _write)
    assert converted([source], tmp_path / "work", _never) == folder
    assert not (folder / source.name).exists()


def test_a_conversion_of_an_older_form_is_made_again(source: Path, tmp_path: Path) -> None:
    folder = converted([source], tmp_path / "work", _write)
    stamp = folder / "derived.json"
    stamp.write_text(stamp.read_text().replace("[4,", "[2,", 1))
    (folder / "openvino_model.xml").write_text("the old one")
    assert (converted([source], tmp_path / "work", _write) / "openvino_model.xml").read_text() == "a whole model"


def test_another_file_is_converted_anew(source: Path, tmp_path: Path) -> None:
    folder = converted([source], tmp_path / "work", _write)
    (folder / "openvino_model.xml").write_text("the old one")
    with source.open("ab") as file:
        file.write(b"\0")
    assert (converted([source], tmp_path / "work", _write) / "openvino_model.xml").read_text() == "a whole model"


def test_a_conversion_that_is_killed_leaves_no_half_model(source: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    command = [sys.executable, "-c", _NEVER_ENDING, str(source), str(work)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGKILL)
    assert not (work / "openvino").exists()
    assert list(work.glob("making-*")), "nothing was left to be removed"
    folder = converted([source], work, _write)
    assert (folder / "openvino_model.xml").read_text() == "a whole model"
    assert list(work.glob("[!.]*")) == [folder]


def test_a_conversion_that_fails_leaves_nothing(source: Path, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="gave no OpenVINO model"):
        converted([source], tmp_path / "work", lambda _: None)
    assert list((tmp_path / "work").glob("[!.]*")) == []


@pytest.mark.skipif(not _can_mount(), reason="nothing may be mounted here")
def test_a_file_of_a_read_only_file_system_is_converted(source: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    source = source.rename(models / source.name)
    subprocess.run([*_UNSHARE, sys.executable, "-c", _READ_ONLY, source, tmp_path / "work"], check=True)
    assert converted([source], tmp_path / "work", _never).is_dir()


def test_a_file_is_copied_where_there_are_no_links(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "symlink", refuse)
    assert not (converted([source], tmp_path / "work", _write) / source.name).exists()
    assert source.exists()


def test_a_copy_that_does_not_fit_says_what_to_do(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for module, name in ((os, "link"), (os, "symlink"), (shutil, "copyfile")):
        monkeypatch.setattr(module, name, full)
    with pytest.raises(LoadError, match=r"No space left.*make room"):
        converted([source], tmp_path / "work", _write)


def test_half_a_file_is_refused(source: Path, tmp_path: Path) -> None:
    source.write_bytes(source.read_bytes()[:40])
    with pytest.raises(LoadError, match=r"not a complete GGUF file .* fetch it again"):
        converted([source], tmp_path / "work", _write)
