"""The end tokens that a model's files name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ovms_llm.model.model_files import Ids, ModelFiles
from ovms_llm.prompt.endings import NamedEnds

_GGUF: Final = ("eos", "eot", "eom")


def named_ends(files: ModelFiles, gguf: Mapping[str, Any]) -> NamedEnds:
    """What `files` name, and the metadata of the GGUF file that the model was made of, if any."""
    named = [gguf.get(f"tokenizer.ggml.{kind}_token_id") for kind in _GGUF]
    ids = {id for id in named if isinstance(id, int)}.union(_ids(files.generation.eos_token_id))
    text = files.config.text_config
    return NamedEnds(
        ids=frozenset(ids),
        doubtful=frozenset(_ids(files.config.eos_token_id)).union(_ids(text.eos_token_id) if text else ()),
        texts=frozenset(filter(None, [files.special_tokens.get("eos_token")])),
    )


def _ids(ids: Ids) -> list[int]:
    return ids if isinstance(ids, list) else [] if ids is None else [ids]
