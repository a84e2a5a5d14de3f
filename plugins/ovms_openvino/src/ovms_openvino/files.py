"""Where, among a model's files, the one is that OpenVINO reads. Imports nothing heavy."""

from __future__ import annotations

from glob import escape
from pathlib import Path

from ovms_core.engine import LoadError

_FOLDERS = ("", "openvino", "onnx")
_STEMS = ("openvino_model", "model")
_QUANTIZED = ("_qint8_quantized", "_int8", "_quantized", "_qint8", "_uint8", "_int4", "_fp16")
_SUFFIXES = (".xml", ".onnx")


def model_file_name(names: frozenset[str]) -> str | None:
    """The preferred model file of `names` (relative to the model's folder); `None` if there is none.

    OpenVINO IR before ONNX, the plain file before a quantised one, the top folder before ``openvino/`` and
    ``onnx/``, as sentence-transformers and Optimum lay them out.
    """
    plain = [f"{stem}{suffix}" for suffix in _SUFFIXES for stem in _STEMS]
    quantized = [f"{stem}{mark}{suffix}" for suffix in _SUFFIXES for mark in _QUANTIZED for stem in _STEMS]
    for file in [*plain, *quantized]:
        for folder in _FOLDERS:
            name = f"{folder}/{file}" if folder else file
            if name in names:
                return name
    return _only_one(names)


def _only_one(names: frozenset[str]) -> str | None:
    """The single model file in the usual folders whatever its name, such as ``model_qint8_avx512.onnx``."""
    found = sorted(name for name in names if name.endswith(_SUFFIXES) and _is_usual_place(name))
    return found[0] if found else None


def _is_usual_place(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    return folder in _FOLDERS and not file.startswith(("openvino_tokenizer", "openvino_detokenizer"))


def find_model_file(path: Path) -> Path:
    """The model file in folder `path`, or `path` itself if it is one. Raises `LoadError` when there is none."""
    if path.is_file():
        return path
    names = frozenset(file.relative_to(path).as_posix() for file in path.glob("*") if file.is_file()) | frozenset(
        file.relative_to(path).as_posix() for folder in _FOLDERS[1:] for file in path.glob(f"{folder}/*")
    )
    name = model_file_name(names)
    if name is None:
        raise LoadError(
            f"'{path.name}' holds neither openvino_model.xml nor model.onnx. Export it with "
            f"'optimum-cli export openvino', or pull a model that has OpenVINO or ONNX files."
        )
    return path / name


def weights_size(file: Path) -> int:
    """Bytes of model file `file` and of those beside it that hold its weights (``.bin``, ``.onnx_data``)."""
    return sum(part.stat().st_size for part in file.parent.glob(f"{escape(file.stem)}.*"))


def model_folder(path: Path) -> Path:
    """The folder with tokenizer and configuration of the model at `path`, which may be a file in a subfolder."""
    if path.is_dir():
        return path
    return path.parent.parent if path.parent.name in _FOLDERS[1:] else path.parent
