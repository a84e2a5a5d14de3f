"""A model's folder in the form that GenAI takes: plain JSON, special tokens as texts, OpenVINO tokenizers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from ovms_core.model_files import checked, read_document
from ovms_imagegen.engine.parts import SCHEDULER, Parts
from ovms_imagegen.engine.schedulers import scheduler_class
from ovms_openvino.conversion import convert_tokenizers, missing_tokenizers
from ovms_openvino.derived import prepared

_FOLDER: Final = "prepared"
_LARGEST: Final = 2**63
_BESIDE: Final = ("tokenizer_config.json", "special_tokens_map.json")
_MADE_OF: Final = ("tokenizer.json", "vocab.json")

Documents = dict[str, dict[str, Any]]
"""JSON by the names of the files that it is in."""


class Token(Struct):
    """A special token with how it is written, as ``tokenizer_config.json`` of many published models has it."""

    content: str


class TokenizerConfig(Struct):
    """What GenAI reads in ``tokenizer_config.json`` and ``special_tokens_map.json``."""

    bos_token: Token | str | None = None
    eos_token: Token | str | None = None
    pad_token: Token | str | None = None
    added_tokens_decoder: dict[Annotated[str, Meta(pattern=r"^\d{1,9}$")], Token] | None = None


def prepared_folder(source: Path, parts: Parts, work_dir: Path, scheduler: str | None = None) -> Path:
    """The model in folder `source` as GenAI takes it: `source` itself, or a folder in `work_dir` of links to it.

    `scheduler` is the one to be drawn with, if that is not the model's own. Raises `LoadError`.
    """
    tokenizers = [name.replace("text_encoder", "tokenizer") for name in parts.encoders]
    missing = [name for name in tokenizers if "openvino_tokenizer.xml" in missing_tokenizers(source / name)]
    documents = {name: read_document(source, name, dict[str, Any]) for name in parts.names}
    documents |= _of_denoising(documents, parts, scheduler) | _of_tokenizers(source, tokenizers, missing)
    contents = {name: text for name, document in documents.items() if (text := _rewritten(source / name, document))}

    def convert(folder: Path) -> None:
        for name in missing:
            convert_tokenizers(folder / name, folder / name, name)

    return prepared(source, work_dir / _FOLDER, contents, convert if missing else None)


def _of_denoising(documents: Documents, parts: Parts, scheduler: str | None) -> Documents:
    """The files among `documents` that say something which GenAI passes over or does not have."""
    changed = {SCHEDULER: documents[SCHEDULER] | {"_class_name": scheduler_class(documents[SCHEDULER], scheduler)}}
    if isinstance(parts.denoising.sample_size, list):  # height and width
        name = f"{parts.denoiser}/config.json"
        changed[name] = documents[name] | {"sample_size": parts.denoising.sample_size[0]}
    return changed


def _of_tokenizers(source: Path, tokenizers: list[str], missing: list[str]) -> Documents:
    """The files that GenAI reads beside its tokenizers, and those that the `missing` ones are made of."""
    read = [f"{tokenizer}/{file}" for tokenizer in tokenizers for file in _BESIDE]
    made_of = [f"{tokenizer}/{file}" for tokenizer in missing for file in _MADE_OF]
    there = [name for name in (*read, *made_of) if (source / name).exists()]
    documents = {name: read_document(source, name, dict[str, Any]) for name in there}
    return {name: _with_plain_tokens(found, name) if name in read else found for name, found in documents.items()}


def _rewritten(file: Path, document: dict[str, Any]) -> str | None:
    """The text that says `document` plainly, unless `file` is one already: without a byte order mark, in UTF-8."""
    clean = plain(document)
    try:
        same = bool(json.loads(file.read_bytes().decode("utf-8")) == clean)
    except ValueError:
        same = False
    return None if same else json.dumps(clean)


def _with_plain_tokens(document: dict[str, Any], name: str) -> dict[str, Any]:
    config = checked(document, TokenizerConfig, name)
    tokens = {"bos_token": config.bos_token, "eos_token": config.eos_token, "pad_token": config.pad_token}
    return document | {key: token.content for key, token in tokens.items() if isinstance(token, Token)}


def plain(value: Any) -> Any:
    """`value` as any reader of JSON takes it: its numbers are finite, and of 64 bits at most."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and abs(value) >= _LARGEST:
        return float(value) if abs(value) < 10**300 else None
    return value
