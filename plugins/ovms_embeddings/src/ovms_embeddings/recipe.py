"""How a model wants its texts turned into vectors, read from the files it comes with.

The layout is that of sentence-transformers (https://sbert.net/docs/package_reference/sentence_transformer/models.html):
``modules.json`` lists the modules, each with its configuration in a folder of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import msgspec

from ovms_core.engine import LoadError
from ovms_core.openvino.positions import positions_of
from ovms_embeddings.options import EmbeddingsOptions, Pooling

_POOLING_FLAGS: dict[str, Pooling] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "last",
}
_POOLING_NAMES: dict[str, Pooling] = {"cls": "cls", "mean": "mean", "max": "max", "lasttoken": "last"}
_DECODERS = ("ForCausalLM", "Qwen2Model", "Qwen3Model", "MistralModel", "LlamaModel", "GemmaModel", "Gemma2Model")
_UNBOUNDED = 1_000_000
_USUAL_LENGTH = 512

T = TypeVar("T")


class _Config(msgspec.Struct):
    architectures: list[str] | None = None
    model_type: str | None = None


class _Module(msgspec.Struct):
    type: str
    path: str = ""


class _Pooling(msgspec.Struct):
    pooling_mode: str | list[str] | None = None
    include_prompt: bool = True
    flags: dict[str, bool] = {}


class _Transformer(msgspec.Struct):
    max_seq_length: int | float | None = None


class _Prompts(msgspec.Struct):
    prompts: dict[str, str | None] | None = None
    default_prompt_name: str | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is done with a text before and after the model.

    `max_length` is in tokens, special tokens included. `pool_prompt` is whether the prompt's own tokens are pooled.
    `modules` names the modules that are not known. `warnings` says what was decided without the model's word.
    """

    pooling: Pooling
    normalize: bool
    max_length: int
    pad_id: int
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    pool_prompt: bool = True
    modules: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list)


def read_recipe(folder: Path, options: EmbeddingsOptions) -> Recipe:
    """The recipe of the model in `folder`; `options` have the last word.

    Raises `LoadError` when the files ask for a pooling that is not known, or are malformed.
    """
    warnings: list[str] = []
    modules = _modules(folder)
    config = _read(folder, "config.json", dict[str, Any])
    architectures = _checked(config, _Config, "config.json").architectures or []
    pooling_config = _pooling_config(folder, modules.get("Pooling", "1_Pooling"))
    pooling = options.pooling or _pooling(pooling_config) or _decided_pooling(architectures, warnings)
    prompts = _read(folder, "config_sentence_transformers.json", _Prompts)
    return Recipe(
        pooling=pooling,
        normalize=_normalize(options, modules, warnings),
        max_length=_max_length(folder, modules, config, options, warnings),
        pad_id=_pad_id(config),
        prompts={name: text or "" for name, text in (prompts.prompts or {}).items()},
        default_prompt=prompts.default_prompt_name,
        pool_prompt=pooling_config.include_prompt,
        modules=tuple(name for name in modules if name not in ("Transformer", "Pooling", "Normalize")),
        warnings=warnings,
    )


def _read(folder: Path, name: str, kind: type[T]) -> T:
    """The document in file `name`, an empty one when there is none. Raises `LoadError` when it is none of `kind`."""
    try:
        document = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return kind()
    except (OSError, ValueError) as error:
        raise LoadError(f"'{name}' of the model cannot be read: {error}. Fetch the model anew.") from error
    return _checked(document, kind, name)


def _checked(document: Any, kind: type[T], name: str) -> T:
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise LoadError(f"'{name}' of the model is malformed: {error}. Mend it, or fetch the model anew.") from error


def _modules(folder: Path) -> dict[str, str]:
    """The folder of each module by the last part of its type, such as ``Pooling``."""
    return {module.type.rpartition(".")[2]: module.path for module in _read(folder, "modules.json", list[_Module])}


def _pooling_config(folder: Path, module: str) -> _Pooling:
    name = (PurePosixPath(module) / "config.json").as_posix()
    document = _read(folder, name, dict[str, Any])
    flags = {flag: on for flag, on in document.items() if flag.startswith("pooling_mode_")}
    return _checked(document | {"flags": flags}, _Pooling, name)


def _pooling(config: _Pooling) -> Pooling | None:
    names = config.pooling_mode or []
    chosen = [names] if isinstance(names, str) else names
    chosen = chosen or [flag for flag, on in config.flags.items() if on]
    if not chosen:
        return None
    known = _POOLING_NAMES | _POOLING_FLAGS
    if len(chosen) > 1 or chosen[0] not in known:
        raise LoadError(
            f"The model asks for the pooling {' and '.join(chosen)}; cls, mean, last or max, one of them, can be had. "
            f"Set options.pooling to take one of them all the same."
        )
    return known[chosen[0]]


def _decided_pooling(architectures: list[str], warnings: list[str]) -> Pooling:
    decoder = any(name.endswith(_DECODERS) for name in architectures)
    pooling: Pooling = "last" if decoder else "mean"
    warnings.append(assumed(pooling))
    return pooling


def assumed(pooling: Pooling) -> str:
    """The warning of a pooling that the model did not ask for."""
    return f"The model does not say how to pool, so '{pooling}' was taken: set options.pooling."


def _normalize(options: EmbeddingsOptions, modules: dict[str, str], warnings: list[str]) -> bool:
    if options.normalize is not None:
        return options.normalize
    if modules:
        return "Normalize" in modules
    warnings.append("The model does not say whether to normalise, so its vectors have length 1: set options.normalize.")
    return True


def _max_length(
    folder: Path, modules: dict[str, str], config: dict[str, Any], options: EmbeddingsOptions, warnings: list[str]
) -> int:
    positions = positions_of(config)
    if options.max_length is not None:
        return _checked_length(options.max_length, positions)
    name = (PurePosixPath(modules.get("Transformer", "")) / "sentence_bert_config.json").as_posix()
    tokenizer = _read(folder, "tokenizer_config.json", dict[str, Any])
    said = [_read(folder, name, _Transformer).max_seq_length, tokenizer.get("model_max_length")]
    for length in said:
        if isinstance(length, int | float) and 0 < length < _UNBOUNDED:
            return min(int(length), positions or int(length))
    if positions is None:
        warnings.append(
            f"The model does not say how long a text may be: {_USUAL_LENGTH} tokens. Set options.max_length."
        )
    return positions or _USUAL_LENGTH


def _checked_length(wanted: int, positions: int | None) -> int:
    if positions is not None and wanted > positions:
        raise LoadError(f"options.max_length is {wanted}, and the model has only {positions} positions: lower it.")
    return wanted


def _pad_id(config: dict[str, Any]) -> int:
    pad = config.get("pad_token_id")
    return pad if isinstance(pad, int) and pad >= 0 else 0
