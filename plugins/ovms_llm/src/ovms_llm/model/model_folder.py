"""What a model's own files say: context length, name, sampling defaults, end tokens, chat template."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ovms_core.engine import LoadError, ModelSpec
from ovms_core.model_files import GgufModel, gguf_models
from ovms_llm.model import gguf
from ovms_llm.model.context import context_length
from ovms_llm.model.defaults import sampling_defaults
from ovms_llm.model.genai_files import mended
from ovms_llm.model.model_files import ModelFiles, read_files
from ovms_llm.model.named_ends import named_ends
from ovms_llm.prompt.endings import NamedEnds
from ovms_openvino.conversion import convert_tokenizers, missing_tokenizers
from ovms_openvino.derived import prepared

_FALLBACK_CONTEXT: Final = 4096
_MODEL: Final = "openvino_model.xml"
_PREPARED: Final = "prepared"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder of OpenVINO IR, in the form that GenAI takes, and what the files of the model say of it.

    `source` is the folder that the model came in. `max_model_len` is in tokens, and so is `answer_tokens`, how long a
    chat's answer may be when the request does not say. `templates` are chat templates by name; models that have
    several call the usual one ``default``. `special_tokens` are texts that templates refer to, such as `bos_token`.
    """

    path: Path
    source: Path
    title: str
    max_model_len: int
    ends: NamedEnds
    sampling_defaults: dict[str, Any] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)
    special_tokens: dict[str, str] = field(default_factory=dict)
    answer_tokens: int | None = None
    warnings: tuple[str, ...] = ()

    @property
    def weight_bytes(self) -> int:
        """The size of the weights on disk, which is about what they take in memory."""
        return (self.path / _MODEL).with_suffix(".bin").stat().st_size


def open_model(model: ModelSpec) -> ModelFolder:
    """The model as GenAI takes it: converted from GGUF, or with small files mended, where need be, and only then.

    Raises `LoadError`, naming the file that is at fault and what to do.
    """
    path, work_dir = Path(model.path), Path(model.work_dir)
    if not (path / _MODEL).is_file():
        return _from_gguf(path, work_dir)
    _require(path, _MODEL.replace(".xml", ".bin"))
    files = read_files(path)
    lacks = bool(missing_tokenizers(path))
    contents = mended(path, tokenizer=lacks)
    folder = prepared(path, work_dir / _PREPARED, contents, _with_tokenizers if lacks else None)
    return _described(folder, path, files, {})


def _with_tokenizers(folder: Path) -> None:
    convert_tokenizers(folder, folder)


def _from_gguf(path: Path, work_dir: Path) -> ModelFolder:
    source = path.parent if path.is_file() else path
    models = gguf_models(file.name for file in source.glob("*") if file.is_file())
    model = _chosen(models, path)
    files = read_files(source) if len(models) == 1 else ModelFiles()  # of several, nobody knows whose they are
    converted = gguf.converted([source / name for name in model.files], work_dir)
    metadata = json.loads((converted / gguf.METADATA).read_text(encoding="utf-8"))["metadata"]
    return _described(converted, source, files, metadata)


def _chosen(models: Sequence[GgufModel], path: Path) -> GgufModel:
    """The one of `models` at `path`, which is its folder, its file or its first shard."""
    if path.is_file():
        models = [model for model in models if model.name == path.name]
    if len(models) > 1:
        names = ", ".join(model.name for model in models)
        raise LoadError(f"the folder holds several GGUF files ({names}): name one of them as the source")
    if not models:
        raise LoadError("there is neither openvino_model.xml nor a .gguf file: fetch the model again, or convert it")
    if models[0].missing:
        raise LoadError(f"'{models[0].missing[0]}', a shard of the model, is missing: fetch the model again")
    return models[0]


def _require(folder: Path, name: str) -> None:
    if not (folder / name).is_file():
        raise LoadError(f"the model has no '{name}': fetch the model again")


def _described(path: Path, source: Path, files: ModelFiles, metadata: Mapping[str, Any]) -> ModelFolder:
    length = context_length(files) or _gguf_length(metadata)
    defaults, left_out = sampling_defaults(files.generation)
    unknown = f"the model's files give no context length: {_FALLBACK_CONTEXT} is assumed, set options.max_model_len"
    answer = files.generation.max_new_tokens
    return ModelFolder(
        path=path,
        source=source,
        title=str(metadata.get("general.name") or files.config.name or source.name),
        max_model_len=length or _FALLBACK_CONTEXT,
        ends=named_ends(files, metadata),
        sampling_defaults=defaults,
        templates=gguf.templates_of(metadata) | files.templates,
        special_tokens=files.special_tokens,
        answer_tokens=answer if answer and answer > 0 else None,
        warnings=(*([] if length else [unknown]), *left_out, *gguf.warnings_of(metadata)),
    )


def _gguf_length(metadata: Mapping[str, Any]) -> int | None:
    length = metadata.get(f"{metadata.get('general.architecture')}.context_length")
    return int(length) if length else None
