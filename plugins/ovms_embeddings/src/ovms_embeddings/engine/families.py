"""How a model pools that does not say so: as its family does, else as models of its architecture do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ovms_embeddings.options import Pooling

_DECODERS = ("ForCausalLM", "Qwen2Model", "Qwen3Model", "MistralModel", "LlamaModel", "GemmaModel", "Gemma2Model")
_BY_CLS = ("NewModel", "GteNewModel", "GteModel")
_CARD_BYTES = 65536

_FAMILIES: Sequence[tuple[Pooling, str]] = (
    ("last", r"qwen3-embedding|gte-qwen|e5-mistral|sfr-embedding|linq-embed|bge-en-icl|bge-multilingual-gemma"),
    ("cls", r"gte-modernbert|gte-multilingual|gte-(?:base|large)-en-v1\.5|bge-|snowflake-arctic-embed"),
    ("cls", r"granite-embedding|mxbai-embed-(?:large|2d)|uae-large|ember-v1|multi-qa-[\w-]*-dot|[\w-]+tas-b"),
    ("mean", r"(?<![a-z])e5-|gte-|jina-embeddings-v[23]|nomic-embed|modernbert-embed|mxbai-embed-xsmall|multi-qa-"),
    ("mean", r"all-(?:minilm|mpnet|roberta|distilroberta)|paraphrase-|msmarco-"),
)
"""What the model cards of these families say, the more particular names first."""


class Decision(NamedTuple):
    """A pooling, and why it was chosen."""

    pooling: Pooling
    reason: str


def usual_pooling(folder: Path, config: dict[str, Any], architectures: Sequence[str]) -> Decision:
    """How the model in `folder` most likely pools: its names are those of its files, its model card and its folder."""
    card = _front_matter(folder)
    for name in _names(folder, config, card):
        for pooling, pattern in _FAMILIES:
            if match := re.search(pattern, name.lower()):
                return Decision(pooling, f"as the family '{match[0].strip('-/')}' does")
    if any(name.endswith(_DECODERS) for name in architectures):
        return Decision("last", "as decoders do")
    if any(name in _BY_CLS for name in architectures):
        return Decision("cls", "as models of its architecture do")
    if _is_of_sentence_transformers(folder, card):
        return Decision("mean", "as sentence-transformers does")
    return Decision("mean", "as encoders do")


def _is_of_sentence_transformers(folder: Path, card: str) -> bool:
    return (folder / "config_sentence_transformers.json").exists() or "sentence-transformers" in card


def _names(folder: Path, config: dict[str, Any], card: str) -> Iterator[str]:
    yield str(config.get("_name_or_path") or "")
    yield from re.findall(r"^(?:base_model|model_name):\s*(?:\n?\s*-\s*)?(\S+)", card, re.MULTILINE)
    yield folder.name


def _front_matter(folder: Path) -> str:
    """What stands between the two lines ``---`` at the beginning of the model card."""
    try:
        with (folder / "README.md").open("rb") as file:
            text = file.read(_CARD_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return ""
    parts = re.split(r"^---\s*$", text.lstrip("\ufeff"), maxsplit=2, flags=re.MULTILINE)
    return parts[1] if len(parts) == 3 and not parts[0].strip() else ""
