"""How sentence-transformers feeds texts to a model: the file of its ``Transformer`` module. Imports nothing heavy.

The keys are the module's arguments, in its newest form and in the older ones:
https://github.com/huggingface/sentence-transformers/blob/main/sentence_transformers/base/modules/transformer.py
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from ovms_core.model_files import checked, read_document

_FAMILIES = ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
SENTENCE_FILES = tuple(f"sentence_{family}_config.json" for family in _FAMILIES)
"""The names that sentence-transformers tries, in its order."""

_UNBOUNDED = 1_000_000
_WITHOUT_EFFECT = frozenset(
    {"backend", "cache_dir", "config_args", "config_kwargs", "model_args", "model_kwargs", "module_output_name"}
    | {"unpad_inputs"}
)
"""Keys that say how PyTorch loads the model: an export has it behind itself."""
_TOKENIZERS_OWN = frozenset(
    {"cache_dir", "clean_up_tokenization_spaces", "legacy", "local_files_only", "padding", "padding_side"}
    | {"return_tensors", "revision", "subfolder", "token", "trust_remote_code", "truncation", "use_fast"}
)
"""Arguments of tokenizers that say how they are loaded, or what is done here anyway."""
_TASKS = ("feature-extraction", "fill-mask", "sequence-classification", "text-generation")


class _Keys(msgspec.Struct):
    max_seq_length: int | float | None = None
    do_lower_case: bool | None = None
    tokenizer_args: dict[str, Any] | None = None
    processor_kwargs: dict[str, Any] | None = None
    processing_kwargs: dict[str, dict[str, Any] | None] | None = None
    transformer_task: str | None = None
    modality_config: dict[str, Any] | None = None


class _TokenizerArguments(msgspec.Struct):
    model_max_length: int | float | None = None
    max_length: int | float | None = None
    do_lower_case: bool | None = None


@dataclass(frozen=True, slots=True)
class SentenceConfig:
    """What the file says: `max_length` in tokens, and whether texts are lower-cased first.

    `unhonoured` names the keys that ask for something that is not done.
    """

    max_length: int | None = None
    lower_case: bool = False
    unhonoured: tuple[str, ...] = ()


def read_sentence_config(folder: Path, module: str = "") -> SentenceConfig:
    """The configuration in folder `module` of the model in `folder`, or at its top; what is usual when there is none.

    Raises `LoadError` for a malformed file, naming it and the key.
    """
    for place in dict.fromkeys([module, ""]):
        for file in SENTENCE_FILES:
            name = (PurePosixPath(place) / file).as_posix()
            if document := read_document(folder, name, dict[str, Any]):
                return _config(document, name)
    return SentenceConfig()


def bounded(length: Any) -> int | None:
    """`length` if it is one: transformers writes 1e30 where nobody has set any."""
    return int(length) if isinstance(length, int | float) and 1 <= length < _UNBOUNDED else None


def _config(document: dict[str, Any], name: str) -> SentenceConfig:
    keys = checked(document, _Keys, name)
    loading = keys.processor_kwargs or keys.tokenizer_args or {}
    calling = {
        **((keys.processing_kwargs or {}).get("common") or {}),
        **((keys.processing_kwargs or {}).get("text") or {}),
    }
    loaded, called = (checked(arguments, _TokenizerArguments, name) for arguments in (loading, calling))
    lengths = map(bounded, (called.max_length, loaded.model_max_length, keys.max_seq_length))
    return SentenceConfig(
        max_length=next((length for length in lengths if length is not None), None),
        lower_case=bool(keys.do_lower_case or loaded.do_lower_case),
        unhonoured=tuple(f"{key} of {name}" for key in _unhonoured(document, keys, {**loading, **calling})),
    )


def _unhonoured(document: Mapping[str, Any], keys: _Keys, arguments: Mapping[str, Any]) -> Iterator[str]:
    known = _WITHOUT_EFFECT.union(_Keys.__struct_fields__)
    yield from (key for key, value in document.items() if key not in known and value is not None)
    own = _TOKENIZERS_OWN.union(_TokenizerArguments.__struct_fields__)
    yield from (f"the tokenizer's {key}" for key in arguments if key not in own)
    if keys.transformer_task not in (None, *_TASKS):
        yield f"transformer_task '{keys.transformer_task}'"
    if "message" in (keys.modality_config or {}):
        yield "modality_config (texts as messages of a chat template)"
