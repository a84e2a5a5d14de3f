"""What a model's files say about how it wants to be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ovms_core.engine import LoadError
from ovms_core.model_files import checked, read_document
from ovms_core.plugin import ModelFiles
from ovms_openvino.files import model_folder
from ovms_openvino.positions import pad_id_of, positions_of
from ovms_openvino.sentences import SentenceConfig, bounded, read_sentence_config
from ovms_rerank.task import RerankOptions, answers_file, is_yes_no, labels

_PROMPTED_LENGTH = 8192
"""Qwen3-Reranker's own limit; what its configuration allows would be quadratically dearer."""

_PROMPTED = frozenset({"qwen3"})
"""Models that rerank with Qwen3-Reranker's prompt."""


class _Config(msgspec.Struct):
    architectures: list[str] | None = None
    model_type: str | None = None
    id2label: dict[str, Any] | None = None
    num_labels: int | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A reranker as its files and options describe it.

    `prompted` ones read Qwen3-Reranker's prompt instead of a plain pair. `answers` are the ids of the tokens for
    no and yes, where the files name them. `unhonoured` names what the files ask for and do not get.
    """

    folder: Path
    yes_no: bool
    prompted: bool
    max_length: int
    pad_id: int
    labels: int
    answers: tuple[int, int] | None = None
    lower_case: bool = False
    unhonoured: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path, options: RerankOptions) -> Profile:
        """The profile of the model at `path`.

        Raises `LoadError` for a causal reranker whose prompt, or whose answer, is not known, and for malformed files.
        """
        folder = model_folder(path)
        files = ModelFiles.at(folder)
        config = read_document(folder, "config.json", dict[str, Any])
        checked(config, _Config, "config.json")
        sentences = read_sentence_config(folder)
        yes_no = options.head == "yes_no" or (options.head == "auto" and is_yes_no(files))
        prompted = yes_no or config.get("model_type") in _PROMPTED
        if yes_no and options.head == "auto":
            _require_known_prompt(config)
        wanted = options.max_length or (_PROMPTED_LENGTH if prompted else None)
        return cls(
            folder=folder,
            yes_no=yes_no,
            prompted=prompted,
            max_length=_max_length(folder, config, sentences, wanted),
            pad_id=pad_id_of(config),
            labels=labels(config),
            answers=_answers(folder, files) if yes_no else None,
            lower_case=sentences.lower_case,
            unhonoured=sentences.unhonoured,
        )


def _require_known_prompt(config: dict[str, Any]) -> None:
    kind = config.get("model_type")
    if kind not in _PROMPTED:
        raise LoadError(
            f"The model is a causal reranker of type '{kind}', and only Qwen3-Reranker's prompt is known. "
            "Set options.head to yes_no to ask it with that prompt all the same."
        )


def _answers(folder: Path, files: ModelFiles) -> tuple[int, int] | None:
    """The ids for no and yes. Raises `LoadError` for a model that is to be judged by one token alone."""
    name = answers_file(files)
    if name is None:
        return None
    config = read_document(folder, name, dict[str, Any])
    no, yes = config.get("false_token_id"), config.get("true_token_id")
    if not isinstance(no, int) or not isinstance(yes, int):
        raise LoadError(
            f"'{name}' of the model has false_token_id {no} and true_token_id {yes}: only rerankers that answer with "
            "one of two tokens are supported, such as Qwen3-Reranker. Export it for text classification instead."
        )
    return no, yes


def _max_length(folder: Path, config: dict[str, Any], sentences: SentenceConfig, wanted: int | None) -> int:
    """The least of what model, tokenizer and operator allow; 512 when none says."""
    tokenizer = read_document(folder, "tokenizer_config.json", dict[str, Any])
    said = sentences.max_length or bounded(tokenizer.get("model_max_length"))
    return min([limit for limit in (positions_of(config), said, wanted) if limit], default=512)
