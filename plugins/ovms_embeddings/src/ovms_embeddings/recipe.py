"""How a model wants its texts turned into vectors, read from the files it comes with.

The layout is that of sentence-transformers (https://sbert.net/docs/package_reference/sentence_transformer/models.html):
``modules.json`` lists the modules, each with its configuration in a folder of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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

    Raises `LoadError` when the files ask for a pooling that is not known.
    """
    warnings: list[str] = []
    modules = _modules(folder)
    config = _object(folder / "config.json")
    pooling_config = _object(folder / modules.get("Pooling", "1_Pooling") / "config.json")
    pooling = options.pooling or _pooling(pooling_config) or _decided_pooling(config, warnings)
    prompts = _object(folder / "config_sentence_transformers.json")
    return Recipe(
        pooling=pooling,
        normalize=_normalize(options, modules, warnings),
        max_length=_max_length(folder, modules, config, options, warnings),
        pad_id=_pad_id(config),
        prompts={str(name): str(text) for name, text in (prompts.get("prompts") or {}).items()},
        default_prompt=prompts.get("default_prompt_name"),
        pool_prompt=bool(pooling_config.get("include_prompt", True)),
        modules=tuple(name for name in modules if name not in ("Transformer", "Pooling", "Normalize")),
        warnings=warnings,
    )


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise LoadError(f"'{file.name}' of the model cannot be read: {error}. Fetch the model anew.") from error


def _object(file: Path) -> dict[str, Any]:
    document = _json(file)
    return document if isinstance(document, dict) else {}


def _modules(folder: Path) -> dict[str, str]:
    """The folder of each module by the last part of its type, such as ``Pooling``."""
    entries = _json(folder / "modules.json") or []
    return {str(entry["type"]).rpartition(".")[2]: str(entry.get("path", "")) for entry in entries}


def _pooling(config: dict[str, Any]) -> Pooling | None:
    names = config.get("pooling_mode") or []
    chosen = [names] if isinstance(names, str) else [str(name) for name in names]
    chosen = chosen or [flag for flag, on in config.items() if flag.startswith("pooling_mode_") and on]
    if not chosen:
        return None
    known = _POOLING_NAMES | _POOLING_FLAGS
    if len(chosen) > 1 or chosen[0] not in known:
        raise LoadError(
            f"The model asks for the pooling {' and '.join(chosen)}; cls, mean, last or max, one of them, can be had. "
            f"Set options.pooling to take one of them all the same."
        )
    return known[chosen[0]]


def _decided_pooling(config: dict[str, Any], warnings: list[str]) -> Pooling:
    decoder = any(str(name).endswith(_DECODERS) for name in config.get("architectures") or [])
    pooling: Pooling = "last" if decoder else "mean"
    warnings.append(f"The model does not say how to pool, so '{pooling}' was taken: set options.pooling.")
    return pooling


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
    transformer = _object(folder / modules.get("Transformer", "") / "sentence_bert_config.json")
    said = [transformer.get("max_seq_length"), _object(folder / "tokenizer_config.json").get("model_max_length")]
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
