"""A hub model into a folder: listed, chosen from, downloaded; or taken from huggingface_hub's cache."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from huggingface_hub import HfApi, constants, hf_hub_url, snapshot_download
from huggingface_hub.errors import HTTPError, LocalEntryNotFoundError
from huggingface_hub.utils import build_hf_headers

from ovms_core.plugin import FetchProgress, SourceError
from ovms_sources.hub.conversion import convert
from ovms_sources.hub.download import DownloadProgress, RemoteFile, download
from ovms_sources.hub.failure import explain, offline_reason
from ovms_sources.hub.name import HubName
from ovms_sources.hub.selection import FileSelection, select, settings_of
from ovms_sources.hub.token import sent_token

log = logging.getLogger("ovms.sources")

_PARTS = ".incoming"
_API_TIMEOUT = 30.0


def fetch(model: HubName, into: Path, *, offline: bool, progress: FetchProgress) -> None:
    """Put the model's files into the folder `into`. Raises `SourceError`."""
    if offline or constants.HF_HUB_OFFLINE:
        _copy_cached(model, into, progress)
        return
    with _explained(model):
        info = _info(model)
        selection = _chosen(model, [each.rfilename for each in info.siblings or ()])
        if selection.format != "pytorch":
            _download_all(_remote_files(model, info, selection), into, progress)
            return
    convert(model.repository, into, revision=model.revision, progress=progress)
    with _explained(model):
        _download_settings(model, info, into)


@contextmanager
def _explained(model: HubName) -> Iterator[None]:
    """Turns what huggingface_hub and the network raise into `SourceError`; errors of the disk pass."""
    try:
        yield
    except (HTTPError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
            raise
        raise explain(error, model.repository, model.revision) from error


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None  # huggingface_hub reads it once, when it is imported


def _info(model: HubName) -> Any:
    return HfApi(endpoint=_endpoint(), token=sent_token()).model_info(
        model.repository, revision=model.revision, files_metadata=True, timeout=_API_TIMEOUT
    )


def _chosen(model: HubName, names: Iterable[str]) -> FileSelection:
    try:
        selection = select([_inside(name) for name in names], model.wanted)
    except SourceError as error:
        raise SourceError(f"hf:{model.repository}: {error}") from None
    if selection.others:
        log.info(
            "hf:%s: chose %s; name another as hf:%s/FILE: %s",
            *(model.repository, selection.chosen, model.repository, ", ".join(selection.others)),
        )
    return selection


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise SourceError(f"it holds the name {name!r}, which leads out of the model's folder: do not use it.")
    return name


def _remote_files(model: HubName, info: Any, selection: FileSelection) -> list[RemoteFile]:
    return [
        RemoteFile(
            name=each.rfilename,
            local=selection.files[each.rfilename],
            url=hf_hub_url(model.repository, each.rfilename, revision=info.sha, endpoint=_endpoint()),
            size=each.lfs.size if each.lfs else each.size,
            sha256=each.lfs.sha256 if each.lfs else None,
            git_id=each.blob_id,
        )
        for each in info.siblings
        if each.rfilename in selection.files
    ]


def _download_all(files: Sequence[RemoteFile], into: Path, progress: FetchProgress) -> None:
    _remove_others(into, {file.local for file in files}, keep={file.key for file in files})
    sizes = [file.size for file in files if file.size is not None]
    downloaded = DownloadProgress(progress, sum(sizes) if len(sizes) == len(files) else None)
    _require_space(into, sum(sizes))
    # A range is of the plain bytes.
    headers = build_hf_headers(library_name="ovms", token=sent_token()) | {"accept-encoding": "identity"}
    for file in files:
        download(file, into, into / _PARTS, headers, downloaded)
    shutil.rmtree(into / _PARTS, ignore_errors=True)


def _download_settings(model: HubName, info: Any, into: Path) -> None:
    """Put what a conversion leaves out, sentence-transformers' files, beside its result."""
    names = settings_of(each.rfilename for each in info.siblings)
    selection = FileSelection("openvino", {name: name for name in names if not (into / name).exists()})
    headers = build_hf_headers(library_name="ovms", token=sent_token())
    downloaded = DownloadProgress(lambda *_: None, None)
    for file in _remote_files(model, info, selection):
        download(file, into, into / _PARTS, headers, downloaded)
    shutil.rmtree(into / _PARTS, ignore_errors=True)


def _remove_others(into: Path, wanted: set[str], keep: set[str]) -> None:
    """Remove what an interrupted fetch of another revision left."""
    for path in sorted(into.rglob("*"), reverse=True):
        local = path.relative_to(into).as_posix()
        if path.is_file() and local not in wanted and not (path.parent.name == _PARTS and path.name in keep):
            path.unlink()


def _require_space(into: Path, size: int) -> None:
    here = sum(path.stat().st_size for path in into.rglob("*") if path.is_file())
    free = shutil.disk_usage(into).free
    if size - here > free:
        raise SourceError(
            f"The model needs {(size - here) / 1e9:.1f} GB more and the disk of {into.parent.parent} has "
            f"{free / 1e9:.1f} GB: free some, or put the models elsewhere with --model-repository."
        )


def _copy_cached(model: HubName, into: Path, progress: FetchProgress) -> None:
    """Without network: what huggingface_hub's own cache holds, if that is a whole model."""
    snapshot, names = _cached_snapshot(model)
    selection = _chosen(model, names)
    if selection.format == "pytorch" or not all((snapshot / name).is_file() for name in selection.files):
        raise SourceError(f"hf:{model.repository}: {offline_reason(model.repository)}")
    downloaded = DownloadProgress(progress, sum((snapshot / name).stat().st_size for name in selection.files))
    _remove_others(into, set(), keep=set())
    for name, local in selection.files.items():
        (into / local).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(snapshot / name, into / local)
        downloaded.add((into / local).stat().st_size)
    shutil.rmtree(into / _PARTS, ignore_errors=True)


def _cached_snapshot(model: HubName) -> tuple[Path, list[str]]:
    """The cached folder, and the names of the files that it should have. Raises `SourceError` when there is none."""
    try:
        folder = Path(snapshot_download(model.repository, revision=model.revision, local_files_only=True))
    except LocalEntryNotFoundError as error:
        partial = getattr(error, "snapshot_path", None)  # known to lack files, but maybe none that are needed
        if partial is None:
            raise SourceError(f"hf:{model.repository}: {offline_reason(model.repository)}") from error
        from huggingface_hub import get_cached_repo_tree  # as new as `snapshot_path`

        tree = get_cached_repo_tree(model.repository, revision=model.revision)
        return Path(partial), [file.path for file in tree]
    return folder, [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
