"""A model's folder in the form that GenAI takes: plain JSON, special tokens as texts, OpenVINO tokenizers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from ovms_core.openvino.conversion import convert_tokenizers, missing_tokenizers
from ovms_core.openvino.derived import prepared
from ovms_core.openvino.documents import checked, read_document
from ovms_imagegen.parts import SCHEDULER, Parts
from ovms_imagegen.schedulers import scheduler_class

_FOLDER: Final = "prepared"
_LARGEST: Final = 2**63


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
    contents = dict(_rewritten(source, parts, tokenizers, scheduler))
    missing = [name for name in tokenizers if "openvino_tokenizer.xml" in missing_tokenizers(source / name)]

    def convert(folder: Path) -> None:
        for name in missing:
            convert_tokenizers(folder / name, folder / name, name)

    return prepared(source, work_dir / _FOLDER, contents, convert if missing else None)


def _rewritten(source: Path, parts: Parts, tokenizers: list[str], scheduler: str | None) -> Iterator[tuple[str, str]]:
    """The files that GenAI cannot take as they are, with the texts that it can."""
    documents = {name: read_document(source, name, dict[str, Any]) for name in parts.names}
    documents[SCHEDULER]["_class_name"] = scheduler_class(documents[SCHEDULER], scheduler)
    if isinstance(parts.denoising.sample_size, list):  # height and width, which GenAI passes over
        documents[f"{parts.denoiser}/config.json"]["sample_size"] = parts.denoising.sample_size[0]
    for tokenizer in tokenizers:
        for file in ("tokenizer_config.json", "special_tokens_map.json"):
            name = f"{tokenizer}/{file}"
            if (source / name).exists():
                documents[name] = _with_plain_tokens(read_document(source, name, dict[str, Any]), name)
    for name, document in documents.items():
        clean = plain(document)
        if not _is(source / name, clean):
            yield name, json.dumps(clean)


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


def _is(file: Path, document: dict[str, Any]) -> bool:
    """Whether `file` already says `document`, without a byte order mark and in UTF-8."""
    try:
        return bool(json.loads(file.read_bytes().decode("utf-8")) == document)
    except ValueError:
        return False
