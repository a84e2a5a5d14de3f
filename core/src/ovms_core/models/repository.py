"""The folder for downloaded models.

A model is fetched into a folder out of sight and then moved into place in one step, so that what is in
place is always whole. What an interrupted fetch left is continued by the next. Processes that want the
same model wait for each other. Everything here blocks: servers call it on a thread.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from ovms_core.models.reference import Reference
from ovms_core.models.source import FetchProgress, Source, SourceError
from ovms_core.paths import home, is_there

log = logging.getLogger("ovms.models")

_LOCK_POLL = 0.2
_AMBIGUOUS_HYPHEN = re.compile(r"-(?=[-/])|(?<=[-/])-")


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model in the repository; `size` is in bytes."""

    reference: Reference
    path: Path
    size: int


def default_root() -> Path:
    """Where models are kept unless told otherwise: ``~/.cache/ovms/models`` on Linux.

    For a user who has no such place, as in many containers, a folder of their own among the temporary ones.
    """
    usual = _usual_root()
    if usual is not None and (is_there(usual) or _can_be_made(usual)):
        return usual
    return _temporary_root() or usual or Path("/.cache/ovms/models")


def _usual_root() -> Path | None:
    try:
        cache = user_cache_path("ovms", appauthor=False)
    except RuntimeError:  # no home folder; older versions of platformdirs then say "~"
        return None
    return cache / "models" if cache.is_absolute() else None


def _can_be_made(folder: Path) -> bool:
    existing = next(parent for parent in folder.parents if is_there(parent))
    return os.access(existing, os.W_OK | os.X_OK)


def _temporary_root() -> Path | None:
    """A folder that nobody else can have prepared; `None` where there is none."""
    try:
        folder = Path(tempfile.gettempdir(), f"ovms-{os.getuid()}")
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.lstat()
    except OSError:
        return None
    ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022
    return folder / "models" if ours else None


class Repository:
    """Models on disk, at ``root/SCHEME/NAME``; beside them ``.partial``, ``.locks`` and ``.work``."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or default_root()).absolute()
        if root is None and self.root != _usual_root():
            log.warning("This user has no cache folder that can be written: %s", _kept_in(self.root))
        self._borrowed: list[tempfile.TemporaryDirectory[str]] = []

    def path_of(self, reference: Reference) -> Path:
        """Where the model's folder is once it has been fetched."""
        return self.root / reference.scheme / _encode(reference.name)

    def has(self, reference: Reference) -> bool:
        """Whether the model is in the repository."""
        with self._using():
            return self.path_of(reference).is_dir()

    def fetch(self, source: Source, reference: Reference, *, offline: bool, progress: FetchProgress) -> Path:
        """The model's folder or file, fetched first if it is not here. Raises `SourceError`.

        Can be stopped at any point, by `progress` raising or by the end of the process: the next call
        goes on from there.
        """
        if located := source.locate(reference.name):
            return located
        path = self.path_of(reference)
        if self.has(reference):  # a repository may be read-only, so no lock
            return path
        with self._using(), self._locked(reference, progress):
            if not path.is_dir():
                self._fetch(source, reference, offline, progress)
        return path

    def list(self) -> list[StoredModel]:
        """The models in the repository, sorted by reference."""
        with self._using():
            folders = [path for scheme in _visible(self.root) for path in _visible(scheme)]
            models = [
                StoredModel(Reference(each.parent.name, _decode(each.name)), each, _size(each)) for each in folders
            ]
        return sorted(models, key=lambda model: str(model.reference))

    def remove(self, reference: Reference) -> bool:
        """Remove the model, what was derived from it and what an interrupted fetch left; whether there was any.

        Raises `SourceError` when the folder cannot be written.
        """
        with self._using(), self._locked(reference):
            path, partial = self.path_of(reference), self._partial(reference)
            found = path.is_dir() or partial.is_dir()
            for derived in (self.root / ".work").glob(f"*-{_digest(path)}"):
                shutil.rmtree(derived)
            if path.is_dir():
                shutil.rmtree(partial, ignore_errors=True)
                partial.parent.mkdir(parents=True, exist_ok=True)
                path.replace(partial)  # out of sight at once; an interrupted removal then leaves no half model
            shutil.rmtree(partial, ignore_errors=True)
            return found

    def work_dir(self, model: str, path: Path) -> Path:
        """A writable folder for what is derived from the model at `path`, which need not be in the repository.

        It is made if needed and survives restarts. Another `path` has another folder, also under the same
        name `model`. Where the repository cannot be written, it is a folder for temporary files, which lives as
        long as this object. Raises `SourceError` when there is none of those either.
        """
        folder = self.root / ".work" / f"{_encode(model)}-{_digest(path)}"
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):  # it may be there, but another user's
            return folder
        log.info("%s cannot be written: what model %s derives is not kept", folder, model)
        return self._temporary()

    def equip(self) -> None:
        """Give this process, and those that it starts, a home folder and one for temporary files, if there are none.

        Without the first, OpenVINO, pip and huggingface_hub end with a traceback; it need not be writable. The second
        is missing in a container with a read-only root, which may have a volume for models.
        """
        if home() is None:
            os.environ["HOME"] = str(self.root / ".work" / "home")
        try:
            tempfile.gettempdir()
        except FileNotFoundError:
            folder = self.root / ".work" / "tmp"
            with suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
                os.environ["TMPDIR"] = tempfile.tempdir = str(folder)

    def _temporary(self) -> Path:
        try:
            self._borrowed.append(tempfile.TemporaryDirectory(prefix="ovms-"))
        except OSError:
            raise SourceError(
                f"There is no folder to work in: neither the model repository {self.root} nor a folder for temporary "
                "files can be written. Set TMPDIR or --model-repository to one that can; a container with a "
                "read-only root needs '--tmpfs /tmp' or a volume."
            ) from None
        return Path(self._borrowed[-1].name)

    def _fetch(self, source: Source, reference: Reference, offline: bool, progress: FetchProgress) -> None:
        partial, path = self._partial(reference), self.path_of(reference)
        partial.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        source.fetch(reference.name, partial, offline=offline, progress=progress)
        if not any(partial.iterdir()):
            raise SourceError(f"{reference}: its source '{reference.scheme}:' returned no files.")
        _flush(partial)
        partial.replace(path)

    def _partial(self, reference: Reference) -> Path:
        return self.root / ".partial" / f"{reference.scheme}--{_encode(reference.name)}"

    @contextmanager
    def _locked(self, reference: Reference, progress: FetchProgress | None = None) -> Iterator[None]:
        """Only one process or thread at a time per model; the lock falls with its holder, however that ends."""
        locks = self.root / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(locks / f"{reference.scheme}--{_encode(reference.name)}.lock")
        while not _acquired(lock):
            if progress:
                progress(0, None)  # a chance to stop waiting
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _using(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SourceError(_disk_failure(error, self.root)) from error


def _kept_in(root: Path) -> str:
    return f"models are kept in {root}, perhaps only until the next start. Set model_repository to keep them."


def _acquired(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=_LOCK_POLL)
    except Timeout:
        return False
    return True


def _disk_failure(error: OSError, root: Path) -> str:
    elsewhere = "or put the models elsewhere with --model-repository"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"The disk of the model repository {root} is full: free space, {elsewhere}. The download can be resumed."
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return f"The model repository {root} cannot be used by this user ({error.strerror}): allow it, {elsewhere}."
    return f"The model could not be stored in {root}: {error}. Try again, {elsewhere}."


def _encode(name: str) -> str:
    """A file name for any text, readable for usual ones: ``org/name`` is ``org--name``. Reversible."""
    encoded = quote(_AMBIGUOUS_HYPHEN.sub("\0", name), safe=" +=@").replace("%00", "%2D").replace("%2F", "--")
    return f"%2E{encoded[1:]}" if encoded.startswith(".") else encoded


def _decode(encoded: str) -> str:
    return unquote(encoded.replace("--", "%2F"))


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:12]


def _visible(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _flush(folder: Path) -> None:
    """Write the files through to the disk, so that a loss of power after the move leaves no empty ones."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
