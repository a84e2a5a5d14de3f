"""One file of a hub, fetched: continued where an earlier attempt stopped, and verified.

The transfer is huggingface_hub's own, with its retries. Its higher functions throw a partial file away
when their process ends; of a model of many gigabytes that is worth keeping.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from huggingface_hub import constants
from huggingface_hub.file_download import http_get

from ovms_core.plugin import FetchProgress, SourceError

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the hub describes it: where it goes in the model's folder, its size in bytes and its hash.

    `sha256` is that of a file in Git LFS or Xet; other files have the hash of a git blob, `git_id`.
    """

    name: str
    local: str
    url: str
    size: int | None
    sha256: str | None
    git_id: str | None

    @property
    def key(self) -> str:
        """Names the content, so that a part of an older revision's file is never continued."""
        return self.sha256 or self.git_id or hashlib.sha256(self.url.encode()).hexdigest()

    def matches(self, path: Path) -> bool:
        """Whether the file at `path` is this one, by size and hash."""
        size = path.stat().st_size
        if self.size is not None and size != self.size:
            return False
        if self.sha256:
            return _hash(path, hashlib.sha256()) == self.sha256
        # git hashes a header and the content: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
        return not self.git_id or _hash(path, hashlib.sha1(b"blob %d\0" % size)) == self.git_id


@dataclass(slots=True)
class DownloadProgress:
    """Bytes of the whole fetch that are here."""

    progress: FetchProgress
    total: int | None
    done: int = 0

    def add(self, count: int) -> None:
        self.done += count
        self.progress(self.done, self.total)


def download(
    file: RemoteFile, into: Path, parts: Path, headers: Mapping[str, str], downloaded: DownloadProgress
) -> None:
    """Put `file` into the folder `into`, by way of the folder `parts`. Raises `SourceError` if it arrives damaged."""
    if (file.size or 0) > constants.MAX_HTTP_DOWNLOAD_SIZE:
        raise SourceError(
            f"{file.name} has {(file.size or 0) / 1e9:.0f} GB, more than the hub sends in one piece: fetch the model "
            "with 'hf download ORG/NAME --local-dir FOLDER' and serve the folder."
        )
    target = into / file.local
    if target.is_file() and file.matches(target):
        downloaded.add(target.stat().st_size)
        return
    part = parts / file.key
    for _ in range(2):  # what an earlier attempt left may be damaged: then once more from the start
        _transfer(file, part, headers, downloaded)
        if file.matches(part):
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)
            return
        downloaded.add(-part.stat().st_size)
        part.unlink()
    raise SourceError(
        f"{file.name} arrives damaged: its hash is not the one the hub gives. Try again, or check the proxy."
    )


def _transfer(file: RemoteFile, part: Path, headers: Mapping[str, str], downloaded: DownloadProgress) -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as sink:
        here = sink.tell()
        if file.size is not None and here > file.size:
            sink.truncate(here := 0)
        downloaded.add(here)
        http_get(
            file.url,
            sink,
            resume_size=here,
            headers=dict(headers),
            expected_size=file.size,
            tqdm_class=_bar(downloaded),
        )


def _bar(downloaded: DownloadProgress) -> type:
    """A class that takes the place of tqdm in `http_get`, which makes an object of it and calls `update`."""

    class Bar:
        def __init__(self, **_: Any) -> None: ...

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...

        def update(self, count: float | None = 1) -> None:
            downloaded.add(int(count or 0))

    return Bar


def _hash(path: Path, digest: hashlib._Hash) -> str:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
