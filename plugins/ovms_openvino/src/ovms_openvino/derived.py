"""Folders that are derived from a model's files: made once, in one step, and again when the files have changed.

Imports nothing heavy.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from filelock import FileLock

from ovms_core.engine import LoadError

_STAMP: Final = "derived.json"
_PARTIAL: Final = "making-"
_PREPARED_FORM: Final = 1
"""Counts up when `prepared` makes something else of the same files."""


def derived(folder: Path, sources: Iterable[Path], form: Any, make: Callable[[Path], None]) -> Path:
    """`folder`, filled by ``make(empty_folder)`` unless it was made of the same `sources` in the same `form`.

    A source is the same while its size and time are; `form` is JSON that says how they are used. The folder appears in
    one step, when it is complete; what a killed process left is removed. Processes that want the same folder wait for
    each other. Raises `LoadError` when it cannot be written, and what `make` raises.
    """
    stamp = json.dumps([form, [_identity(source) for source in sources]])
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f".{folder.name}.lock"):
            if _stamp_in(folder) != stamp:
                _make(folder, stamp, make)
    except OSError as error:
        raise LoadError(
            f"what is derived from the model's files cannot be written ({_reason(error)}): make room in the model "
            f"repository, or choose another with --model-repository"
        ) from error
    return folder


def prepared(
    source: Path, folder: Path, contents: Mapping[str, str | None], make: Callable[[Path], None] | None = None
) -> Path:
    """The model in folder `source` with some files replaced: `folder`, with links to all others.

    `contents` has the new text of files by their names, relative to the folder with ``/`` between parts, and `None`
    for those to leave out; ``make(folder)`` may add more. Where there is nothing to do it is `source` itself. Raises
    `LoadError` as `derived` does.
    """
    if not contents and make is None:
        return source
    files = {file.relative_to(source).as_posix(): file for file in _visible(source)}

    def fill(target: Path) -> None:
        for name, file in files.items():
            if name not in contents:
                link_or_copy(file, target / name)
        for name, text in contents.items():
            if text is not None:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (target / name).write_text(text, encoding="utf-8", newline="\n")
        if make is not None:
            make(target)

    form = [_PREPARED_FORM, sorted(files), sorted(contents.items()), make is not None]
    return derived(folder, [files[name] for name in sorted(files)], form, fill)


def link_or_copy(source: Path, target: Path, *, writable: bool = False) -> None:
    """Put a link to file `source` at `target`, or a copy where there are no links or the file must be `writable`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for link in (os.link, os.symlink):
        with suppress(OSError):  # a hard link to another file system, or a file system without links
            link(source.resolve(), target)
            break
    if not os.access(target, os.W_OK if writable else os.R_OK):
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)


def _make(folder: Path, stamp: str, make: Callable[[Path], None]) -> None:
    prefix = f"{_PARTIAL}{folder.name}-"
    for stale in folder.parent.glob(f"{prefix}*"):
        shutil.rmtree(stale, ignore_errors=True)
    partial = Path(mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        make(partial)
        (partial / _STAMP).write_text(stamp, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _reason(error: OSError) -> str:
    named = f", {Path(os.fsdecode(error.filename)).name}" if error.filename else ""
    return f"{error.strerror or error}{named}"


def _identity(source: Path) -> tuple[str, int, int]:
    status = source.stat()
    return source.name, status.st_size, status.st_mtime_ns


def _stamp_in(folder: Path) -> str | None:
    try:
        return (folder / _STAMP).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def _visible(folder: Path) -> Iterator[Path]:
    """The files in `folder`; those that begin with a dot are not the model's but of some tool."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _visible(path)
        elif path.is_file():
            yield path
