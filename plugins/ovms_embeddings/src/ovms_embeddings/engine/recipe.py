"""How a model wants its texts turned into vectors, read from the files it comes with.

The layout is that of sentence-transformers (https://sbert.net/docs/package_reference/sentence_transformer/models.html):
``modules.json`` lists the modules, each with its configuration in a folder of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from ovms_core.engine import LoadError
from ovms_core.model_files import checked, read_document
from ovms_embeddings.engine.families import usual_pooling
from ovms_embeddings.engine.modules import Module, Modules
from ovms_embeddings.options import EmbeddingsOptions, Pooling
from ovms_openvino.positions import pad_id_of, positions_of
from ovms_openvino.sentences import SentenceConfig, bounded, read_sentence_config

_POOLING_FLAGS: dict[str, Pooling] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "last",
}
"""The older form: a flag each, in the order in which sentence-transformers puts the vectors together."""
_FLAG = "pooling_mode_"
_POOLING_NAMES: dict[str, Pooling] = {
    "cls": "cls",
    "max": "max",
    "mean": "mean",
    "mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "weightedmean": "weightedmean",
    "lasttoken": "last",
}
_USUAL_LENGTH = 512


class _Config(msgspec.Struct):
    architectures: list[str] | None = None
    model_type: str | None = None


class _Pooling(msgspec.Struct):
    pooling_mode: str | list[str] | None = None
    include_prompt: bool | None = None
    flags: dict[str, bool | None] = {}


class _Prompts(msgspec.Struct):
    prompts: dict[str, str | None] | None = None
    default_prompt_name: str | None = None
    similarity_fn_name: str | None = None

    def texts(self) -> dict[str, str]:
        return {name: text or "" for name, text in (self.prompts or {}).items()}

    def unhonoured(self) -> Iterator[str]:
        name = self.default_prompt_name
        if name and name not in ("query", "document", *(self.prompts or {})):
            yield f"default_prompt_name '{name}' of config_sentence_transformers.json, which has no such prompt"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is done with a text before and after the model.

    Vectors of several `poolings` stand one after the other; `assumed` says so where the model asks for none.
    `max_length` is in tokens, special tokens included. `pool_prompt` is whether the prompt's own tokens are pooled.
    `steps` are the modules besides the model, its pooling and the normalisation at the end. `warnings` says what else
    was decided without the model's word, and `unhonoured` names what it asks for and does not get.
    """

    poolings: tuple[Pooling, ...]
    normalize: bool
    max_length: int
    pad_id: int
    lower_case: bool = False
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    pool_prompt: bool = True
    steps: tuple[Module, ...] = ()
    similarity: str | None = None
    assumed: str | None = None
    warnings: list[str] = field(default_factory=list)
    unhonoured: tuple[str, ...] = ()


def read_recipe(folder: Path, options: EmbeddingsOptions) -> Recipe:
    """The recipe of the model in `folder`; `options` have the last word.

    Raises `LoadError` when the files ask for a pooling that is not known, or are malformed.
    """
    warnings: list[str] = []
    modules = Modules.read(folder)
    config = read_document(folder, "config.json", dict[str, Any])
    architectures = checked(config, _Config, "config.json").architectures or []
    sentences = read_sentence_config(folder, modules.folder_of("Transformer", ""))
    pooling_name = (PurePosixPath(modules.folder_of("Pooling", "1_Pooling")) / "config.json").as_posix()
    pooling = _pooling_config(folder, pooling_name)
    poolings = (options.pooling,) if options.pooling else _poolings(pooling, pooling_name)
    usual = usual_pooling(folder, config, architectures)
    prompts = read_document(folder, "config_sentence_transformers.json", _Prompts)
    return Recipe(
        poolings=poolings or (usual.pooling,),
        normalize=_normalize(options, modules, warnings),
        max_length=_max_length(folder, sentences, config, options, warnings),
        pad_id=pad_id_of(config),
        lower_case=sentences.lower_case,
        prompts=prompts.texts(),
        default_prompt=prompts.default_prompt_name,
        pool_prompt=pooling.include_prompt is not False,
        steps=modules.steps,
        similarity=prompts.similarity_fn_name,
        assumed=None if poolings else _assumed(usual.pooling, usual.reason),
        warnings=warnings,
        unhonoured=(*modules.foreign(), *sentences.unhonoured, *prompts.unhonoured()),
    )


def _pooling_config(folder: Path, name: str) -> _Pooling:
    document = read_document(folder, name, dict[str, Any])
    flags = {flag: on for flag, on in document.items() if flag.startswith(_FLAG)}
    return checked(document | {"flags": flags}, _Pooling, name)


def _poolings(config: _Pooling, file: str) -> tuple[Pooling, ...]:
    """The poolings that the model asks for; none where it does not say."""
    names = config.pooling_mode or []
    chosen = [names] if isinstance(names, str) else names
    chosen = chosen or [flag for flag in [*_POOLING_FLAGS, *config.flags] if config.flags.get(flag)]
    known = _POOLING_NAMES | _POOLING_FLAGS
    for name in chosen:
        if name not in known:
            raise LoadError(
                f"'{file}' of the model asks for the pooling '{name}', which is not known; there are "
                f"{', '.join(_POOLING_NAMES)}. "
                f"Set options.pooling to take one of them all the same."
            )
    if not chosen and config.flags:
        return ("mean",)  # as sentence-transformers takes a file in which everything is off
    return tuple(dict.fromkeys(known[name] for name in chosen))


def _assumed(pooling: Pooling, reason: str) -> str:
    return f"The model does not say how to pool, so '{pooling}' was taken, {reason}: set options.pooling."


def _normalize(options: EmbeddingsOptions, modules: Modules, warnings: list[str]) -> bool:
    if options.normalize is not None:
        return options.normalize
    if modules.listed:
        return modules.normalize
    warnings.append("The model does not say whether to normalise, so its vectors have length 1: set options.normalize.")
    return True


def _max_length(
    folder: Path, sentences: SentenceConfig, config: dict[str, Any], options: EmbeddingsOptions, warnings: list[str]
) -> int:
    positions = positions_of(config)
    if options.max_length is not None:
        return _checked_length(options.max_length, positions)
    tokenizer = read_document(folder, "tokenizer_config.json", dict[str, Any])
    for length in (sentences.max_length, bounded(tokenizer.get("model_max_length"))):
        if length is not None:
            return min(length, positions or length)
    if positions is None:
        warnings.append(
            f"The model does not say how long a text may be: {_USUAL_LENGTH} tokens. Set options.max_length."
        )
    return positions or _USUAL_LENGTH


def _checked_length(wanted: int, positions: int | None) -> int:
    if positions is not None and wanted > positions:
        raise LoadError(f"options.max_length is {wanted}, and the model has only {positions} positions: lower it.")
    return wanted
