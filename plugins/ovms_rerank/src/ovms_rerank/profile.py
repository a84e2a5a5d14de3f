"""What a model's files say about how it wants to be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ovms_core.openvino.files import model_folder
from ovms_core.plugin import ModelFiles
from ovms_rerank.task import RerankOptions, is_yes_no, labels

_PROMPTED_LENGTH = 8192
"""Qwen3-Reranker's own limit; what its configuration allows would be quadratically dearer."""

_ROBERTA = frozenset({"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "longformer", "mpnet"})
"""Models that count positions from the padding token's id on."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A reranker as its files and options describe it.

    `prompted` ones read Qwen3-Reranker's prompt instead of a plain pair.
    """

    folder: Path
    yes_no: bool
    prompted: bool
    max_length: int
    pad_id: int
    labels: int

    @classmethod
    def read(cls, path: Path, options: RerankOptions) -> Profile:
        """The profile of the model at `path`."""
        folder = model_folder(path)
        files = ModelFiles.at(folder)
        config = files.json("config.json")
        yes_no = options.head == "yes_no" or (options.head == "auto" and is_yes_no(files))
        prompted = yes_no or config.get("model_type") == "qwen3"
        pad_id = config.get("pad_token_id")
        wanted = options.max_length or (_PROMPTED_LENGTH if prompted else None)
        return cls(
            folder=folder,
            yes_no=yes_no,
            prompted=prompted,
            max_length=_max_length(config, files.json("tokenizer_config.json"), wanted),
            pad_id=pad_id if isinstance(pad_id, int) else 0,
            labels=labels(config),
        )


def _max_length(config: dict[str, Any], tokenizer: dict[str, Any], wanted: int | None) -> int:
    """The least of what model, tokenizer and operator allow; 512 when none says."""
    limits = [_positions(config), tokenizer.get("model_max_length"), wanted]
    known = [int(limit) for limit in limits if isinstance(limit, int | float) and limit > 0]
    return min(known, default=512)


def _positions(config: dict[str, Any]) -> int | None:
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int):
        return None
    return positions - _padding_offset(config)


def _padding_offset(config: dict[str, Any]) -> int:
    if config.get("model_type") not in _ROBERTA:
        return 0
    return int(config.get("pad_token_id") or 0) + 1
