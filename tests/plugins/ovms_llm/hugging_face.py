"""The Hugging Face files of a model that is there as GGUF: its tokenizer, and what transformers saves beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gguf import GGUFReader
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

CONTROL = 3
"""The type of a token that is no text (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md)."""


def write_tokenizer(gguf: Path, folder: Path) -> None:
    """Write ``tokenizer.json`` of a byte-level GGUF model, such as SmolLM2."""
    fields = GGUFReader(gguf).fields
    tokens: list[str] = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    types = fields["tokenizer.ggml.token_type"].contents()
    tokenizer = Tokenizer(models.BPE({token: id for id, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [token for token, kind in zip(tokens, types, strict=True) if kind == CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))


def write_json(file: Path, document: Any) -> None:
    """Write a document as transformers does."""
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
