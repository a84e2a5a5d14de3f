"""What a model's own files say: context length, name, sampling defaults, end tokens, chat template."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ovms_core.engine import LoadError, ModelSpec
from ovms_llm import gguf

_FALLBACK_CONTEXT: Final = 4096
_DEFAULTS: Final = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
_LENGTHS: Final = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length", "model_max_length")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder of OpenVINO IR and what the files beside it say of the model.

    `max_model_len` is in tokens, and so is `answer_tokens`, how long a chat's answer may be when the request
    does not say. `templates` are chat templates by name; models that have several call the usual one
    ``default``. `special_tokens` are texts that templates refer to, such as `bos_token`.
    """

    path: Path
    title: str
    max_model_len: int
    eos_token_ids: frozenset[int] = frozenset()
    sampling_defaults: dict[str, Any] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)
    special_tokens: dict[str, str] = field(default_factory=dict)
    answer_tokens: int | None = None
    warnings: tuple[str, ...] = ()

    @property
    def weight_bytes(self) -> int:
        """The size of the weights on disk, which is about what they take in memory."""
        return (self.path / "openvino_model.bin").stat().st_size


def open_model(model: ModelSpec) -> ModelFolder:
    """The model's OpenVINO IR, converted from GGUF first where need be. Raises `LoadError`."""
    path = Path(model.path)
    if (path / "openvino_model.xml").is_file():
        return _read(path)
    source = _gguf_in(path)
    return _read(gguf.converted(source, Path(model.work_dir)), beside=source.parent)


def _gguf_in(path: Path) -> Path:
    if path.is_file() and path.suffix == ".gguf":
        return path
    files = sorted(path.glob("*.gguf")) if path.is_dir() else []
    if len(files) == 1:
        return files[0]
    if files:
        names = ", ".join(file.name for file in files)
        raise LoadError(f"the folder holds several GGUF files ({names}): name one of them as the source")
    raise LoadError("there is neither openvino_model.xml nor a .gguf file: fetch the model again, or convert it")


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LoadError(f"{path.name} cannot be read ({error}): fetch the model again") from error
    return document if isinstance(document, dict) else {}


def _read(path: Path, beside: Path | None = None) -> ModelFolder:
    """What the files in `path` say; sampling defaults may also stand beside the file that it was converted from."""
    config = _json(path / "config.json")
    generation = _json((beside or path) / "generation_config.json")
    metadata = _json(path / gguf.METADATA).get("metadata", {})
    tokenizer = _json(path / "tokenizer_config.json")
    length = _context_length(config) or _gguf_length(metadata)
    warning = f"the model's files give no context length: {_FALLBACK_CONTEXT} is assumed, set options.max_model_len"
    return ModelFolder(
        path=path,
        title=str(metadata.get("general.name") or config.get("_name_or_path") or path.name),
        max_model_len=length or _FALLBACK_CONTEXT,
        eos_token_ids=_eos(generation, config, metadata),
        sampling_defaults={name: generation[name] for name in _DEFAULTS if generation.get(name) is not None},
        templates=_templates(path, tokenizer),
        special_tokens=_special_tokens(tokenizer),
        answer_tokens=_positive(generation.get("max_new_tokens")),
        warnings=() if length else (warning,),
    )


def _positive(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _context_length(config: dict[str, Any]) -> int | None:
    text = config.get("text_config") or config
    length = next((text[name] for name in _LENGTHS if isinstance(text.get(name), int)), None)
    if length is None:
        return None
    scaling = text.get("rope_scaling") or {}
    kind = scaling.get("rope_type", scaling.get("type"))
    if kind in ("linear", "dynamic") and "factor" in scaling:
        return int(length * scaling["factor"])  # for yarn, llama3 and longrope the stated length is the scaled one
    return int(length)


def _gguf_length(metadata: dict[str, Any]) -> int | None:
    length = metadata.get(f"{metadata.get('general.architecture')}.context_length")
    return int(length) if length else None


def _eos(*documents: dict[str, Any]) -> frozenset[int]:
    for document in documents:
        ids = document.get("eos_token_id", document.get("tokenizer.ggml.eos_token_id"))
        if ids is not None:
            return frozenset(ids if isinstance(ids, list) else [ids])
    return frozenset()


def _templates(path: Path, tokenizer: dict[str, Any]) -> dict[str, str]:
    file = path / "chat_template.jinja"
    if file.is_file():
        return {"default": file.read_text(encoding="utf-8")}
    template = tokenizer.get("chat_template")
    if isinstance(template, str):
        return {"default": template}
    return {entry["name"]: entry["template"] for entry in template or []}


def _special_tokens(tokenizer: dict[str, Any]) -> dict[str, str]:
    named = {name: value for name, value in tokenizer.items() if name.endswith("_token") and value}
    texts = {name: value["content"] if isinstance(value, dict) else value for name, value in named.items()}
    return {name: text for name, text in texts.items() if isinstance(text, str)}
