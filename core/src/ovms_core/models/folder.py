"""Models that are on this machine already: a folder, or a single model file."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from ovms_core.model_files.gguf import first_shard, gguf_models, is_gguf
from ovms_core.models.reference import MODEL_SUFFIXES
from ovms_core.models.source import FetchProgress, Offer, SourceError

_IN_FOLDERS = {"openvino_model.xml", "model.onnx"}
"""Files that are served with what lies beside them: naming one means its folder."""


class FolderSource:
    """``file:PATH``: a folder or a single model file, served from where it is, never copied."""

    scheme = "file"

    def locate(self, name: str) -> Path:
        """The absolute path. Raises `SourceError` when no model can be there."""
        path = _absolute(name)
        try:
            return self._located(name, path)
        except PermissionError as error:
            raise SourceError(f"'{name}' cannot be read by this user ({error.strerror}): allow it.") from None

    def _located(self, name: str, path: Path) -> Path:
        if not path.exists():
            raise SourceError(_missing(name, path))
        if path.is_dir() and not any(path.iterdir()):
            raise SourceError(
                f"'{name}' is an empty folder: a model folder contains .xml and .bin, .gguf or .onnx files."
            )
        if path.is_file() and path.suffix.lower() not in MODEL_SUFFIXES:
            raise SourceError(
                f"'{name}' is not a model file: name a folder, or a file that ends in {', '.join(MODEL_SUFFIXES)}."
            )
        if path.is_file() and is_gguf(path.name):
            return _whole(path)
        return path.parent if path.name in _IN_FOLDERS else path

    def fetch(self, name: str, into: Path, *, offline: bool, progress: FetchProgress) -> None:
        """Never needed. Raises `SourceError`."""
        raise SourceError(f"'{name}' is already on this machine: serve it from there.")

    def offers(self) -> Sequence[Offer]:
        return ()


def _whole(path: Path) -> Path:
    """The file that stands for the GGUF model that `path` is of."""
    first = path.with_name(first_shard(path.name))
    models = gguf_models(each.name for each in path.parent.iterdir())
    missing = next(model.missing for model in models if model.name == first.name)
    if missing:
        raise SourceError(f"'{path.name}' is a shard of a model, and {missing[0]} is not beside it: put it there.")
    return first


def _absolute(name: str) -> Path:
    try:
        return Path(name).expanduser().absolute()
    except RuntimeError as error:
        raise SourceError(f"'{name}': {error} Write the full path.") from error


def _missing(name: str, path: Path) -> str:
    message = f"There is nothing at '{name}'."
    siblings = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    if close := get_close_matches(path.name, siblings, n=1):
        return f"{message} Did you mean '{path.parent / close[0]}'?"
    if name.count("/") >= 1 and not name.startswith((".", "/", "~")):
        return f"{message} A model of the Hugging Face Hub is named hf:{name}."
    return f"{message} Check the path. It was read as '{path}'."
