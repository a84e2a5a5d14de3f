"""Which of a repository's files are fetched: one set of weights that can be served, and what belongs to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import PurePosixPath

from ovms_core.model_files import first_shard, gguf_models, is_gguf
from ovms_core.plugin import SourceError

_COMPANIONS = (".json", ".txt", ".model", ".jinja", ".tiktoken")
_LICENCES = ("LICENSE", "LICENCE", "NOTICE", "README.MD")
_MODULES = re.compile(r"\d+_\w+/(?:config\.json|model\.safetensors)")  # the modules of sentence-transformers
_SETTINGS = re.compile(
    r"modules\.json|config_sentence_transformers\.json|(?:\d+_\w+/)?sentence_[\w-]+_config\.json|\d+_\w+/config\.json"
)
_PREFERRED = ("Q4_K_M", "Q4_0", "Q8_0")
_TOKENIZERS = {"openvino_tokenizer", "openvino_detokenizer"}
_FOLDERS = ("openvino/", "onnx/")
"""Folders that hold weights in a repository of another kind; their files are put beside the rest."""


@dataclass(frozen=True, slots=True)
class FileSelection:
    """The files to fetch: where each lies in the model's folder, by its name in the repository.

    `format` is ``"openvino"``, ``"gguf"``, ``"onnx"`` or ``"pytorch"``; the last must be converted, and
    its `files` are empty. `others` are weights that could have been chosen instead of `chosen`.
    """

    format: str
    files: dict[str, str] = field(default_factory=dict)
    chosen: str = ""
    others: Sequence[str] = ()


def select(names: Iterable[str], wanted: str = "") -> FileSelection:
    """Choose from a repository's file names: OpenVINO IR, else GGUF, else ONNX.

    `wanted` names a file, or a part of one's name (``Q4_K_M``, ``int8``). Raises `SourceError` when
    nothing matches or there are no weights at all.
    """
    names = sorted(names)
    if wanted:
        return _wanted(names, wanted)
    for pick in (_openvino, _gguf, _onnx):
        if selection := pick(names):
            return selection
    if any(name.endswith((".safetensors", ".bin", ".pt", ".pth")) for name in names):
        return FileSelection("pytorch")
    listed = ", ".join(names[:8]) + ("…" if len(names) > 8 else "")
    raise SourceError(f"it holds no weights that can be served (OpenVINO IR, GGUF or ONNX); its files are: {listed}.")


def settings_of(names: Iterable[str]) -> list[str]:
    """The files in which sentence-transformers keeps a model's modules, pooling, lengths and prompts."""
    return sorted(name for name in names if _SETTINGS.fullmatch(name))


def _wanted(names: Sequence[str], wanted: str) -> FileSelection:
    weights = [name for name in names if is_gguf(name) or name.lower().endswith(".onnx") or _is_ir(name, names)]
    matching = [name for name in weights if name == wanted]
    matching = matching or [name for name in weights if wanted.lower() in PurePosixPath(name).name.lower()]
    if not matching:
        listed = ", ".join(weights[:12]) or "none"
        raise SourceError(f"it has no weights named '{wanted}'. There are: {listed}.")
    name = min(matching, key=len)
    if is_gguf(name):
        return _gguf_files(first_shard(name), names)
    if name.lower().endswith(".onnx"):
        return _with_companions("onnx", names, _onnx_files(name, names), name)
    return _as_main(_with_companions("openvino", names, [name, _binary(name), *_tokenizers(name, names)], name))


def _as_main(selection: FileSelection) -> FileSelection:
    """With the chosen variant (``openvino_model_qint8.xml``) under the name that engines look for."""
    stem = PurePosixPath(selection.chosen).stem
    for name in (selection.chosen, _binary(selection.chosen)):
        selection.files[name] = selection.files[name].replace(stem, "openvino_model")
    return selection


def _openvino(names: Sequence[str]) -> FileSelection | None:
    models = [name for name in names if _is_ir(name, names)]
    if not models:
        return None
    if "model_index.json" in names:  # a diffusion pipeline: a folder a part
        files = [each for name in models for each in (name, _binary(name))]
        parts = [name for name in names if _is_companion(name)]
        return FileSelection(
            "openvino", {name: name for name in [*files, *_all_tokenizers(names), *parts]}, "model_index.json"
        )
    folder = _folder(min(models, key=lambda name: (name.count("/"), name)))
    here = [name for name in models if _folder(name) == folder]
    main = f"{folder}openvino_model.xml"
    chosen = [main] if main in here else here  # else one model in several parts, such as one with vision
    files = [each for name in chosen for each in (name, _binary(name))] + _tokenizers(chosen[0], names)
    return _with_companions("openvino", names, files, chosen[0], [name for name in models if name not in chosen])


def _is_ir(name: str, names: Sequence[str]) -> bool:
    return name.endswith(".xml") and PurePosixPath(name).stem not in _TOKENIZERS and _binary(name) in names


def _binary(name: str) -> str:
    return name.removesuffix(".xml") + ".bin"


def _tokenizers(model: str, names: Sequence[str]) -> list[str]:
    return [name for name in _all_tokenizers(names) if _folder(name) == _folder(model)]


def _all_tokenizers(names: Sequence[str]) -> list[str]:
    return [name for name in names if PurePosixPath(name).stem in _TOKENIZERS and name.endswith((".xml", ".bin"))]


def _gguf(names: Sequence[str]) -> FileSelection | None:
    models = [model.name for model in gguf_models(names)]
    if not models:
        return None
    chosen = next((name for quant in _PREFERRED for name in models if quant in name.upper()), models[0])
    return _gguf_files(chosen, names, [name for name in models if name != chosen])


def _gguf_files(name: str, names: Sequence[str], others: Sequence[str] = ()) -> FileSelection:
    model = next(model for model in gguf_models(names) if model.name == name)
    if model.missing:
        raise SourceError(
            f"'{name}' is not whole: it has no {model.missing[0]}. Choose another file, or ask its author."
        )
    return _with_companions("gguf", names, model.files, name, others)


def _onnx(names: Sequence[str]) -> FileSelection | None:
    models = [name for name in names if name.lower().endswith(".onnx")]
    if not models:
        return None
    plain = [name for name in models if PurePosixPath(name).name == "model.onnx"]
    chosen = min(plain or models, key=lambda name: (name.count("/"), name))
    others = [name for name in models if name != chosen]
    return _with_companions("onnx", names, _onnx_files(chosen, names), chosen, others)


def _onnx_files(name: str, names: Sequence[str]) -> list[str]:
    """The model and its external data: ``model.onnx_data``, ``model.onnx_data_1`` or ``model.onnx.data``."""
    return [each for each in names if each == name or fnmatch(each, f"{name}[_.]data*")]


def _with_companions(
    format: str, names: Sequence[str], weights: Sequence[str], chosen: str, others: Sequence[str] = ()
) -> FileSelection:
    """The weights and the small files at the top and beside them; in one folder, where the engine looks."""
    folder = _folder(chosen)
    lifted = folder if folder in _FOLDERS or format == "gguf" else ""
    beside = [name for name in names if _folder(name) == folder and _is_companion(name)]
    top = [name for name in names if ("/" not in name and _is_companion(name)) or _MODULES.fullmatch(name)]
    files = {name: name.removeprefix(lifted) for name in [*beside, *weights]}
    files = {name: local for name, local in files.items() if name in weights or local not in top}
    return FileSelection(format, files | {name: name for name in top}, chosen, others)


def _is_companion(name: str) -> bool:
    base = PurePosixPath(name).name
    return (base.endswith(_COMPANIONS) and not base.endswith(".index.json")) or base.upper().startswith(_LICENCES)


def _folder(name: str) -> str:
    head, slash, _ = name.rpartition("/")
    return head + slash
