"""The small files as GenAI takes them: it refuses a model for what transformers reads without a word.

GenAI reads the three tokens and ids that every tokenizer has, and parses JSON by the letter of RFC 8259: see
`docs/engine-notes.md`. What it needs not know it is not shown.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import openvino_genai as genai

from ovms_core.model_files import read_document
from ovms_llm.model import model_files

Document = dict[str, Any]

_ID: Final = re.compile(r"[0-9]{1,9}")
_TOKENS: Final = ("bos_token", "eos_token", "pad_token")


def mended(folder: Path, *, tokenizer: bool = False) -> dict[str, str | None]:
    """The new text of each file in `folder` that GenAI would refuse; `None` for one to leave out.

    With `tokenizer` also of those from which transformers makes one. Raises `LoadError` for a file that is malformed
    for everybody.
    """
    contents: dict[str, str | None] = {}
    for name, mend in (_MEND | (_VOCABULARY if tokenizer else {})).items():
        document = read_document(folder, name, Document)
        taken = mend(document)
        if taken != document or not _is_strict(folder / name):
            contents[name] = json.dumps(_finite(taken), indent=2)
    if not _takes_generation(folder / model_files.GENERATION):
        contents[model_files.GENERATION] = None  # every request has a configuration of its own
    return contents


def _is_strict(file: Path) -> bool:
    if not file.is_file():
        return True
    try:
        msgspec.json.decode(file.read_bytes())
    except (ValueError, RecursionError):
        return False
    return True


def _takes_generation(file: Path) -> bool:
    if not file.is_file():
        return True
    try:
        genai.GenerationConfig(file)
    except (RuntimeError, UnicodeDecodeError):  # the latter where its message quotes what is not UTF-8
        return False
    return True


def _finite(value: Any) -> Any:
    """`value` without the numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _config(document: Document) -> Document:
    names = [token + "_id" for token in _TOKENS]
    wrong = [name for name in names if isinstance(document.get(name), str | dict | bool)]
    return _without(document, wrong)


def _tokenizer(document: Document) -> Document:
    tokens: Document = {
        name: token["content"]
        for name, token in document.items()
        if name.endswith("_token") and isinstance(token, dict) and "content" in token
    }
    added = document.get("added_tokens_decoder")
    if isinstance(added, dict):
        tokens["added_tokens_decoder"] = {id: token for id, token in added.items() if _ID.fullmatch(id)}
    return document | tokens


def _as_it_is(document: Document) -> Document:
    return document


def _without(document: Document, names: list[str]) -> Document:
    return {name: value for name, value in document.items() if name not in names}


_MEND: Final[dict[str, Callable[[Document], Document]]] = {
    model_files.CONFIG: _config,
    model_files.TOKENIZER: _tokenizer,
    model_files.SPECIAL_TOKENS: _as_it_is,
    model_files.PROCESSOR: _as_it_is,
    model_files.TEMPLATES_JSON: _as_it_is,
}
_VOCABULARY: Final = dict.fromkeys(("tokenizer.json", "added_tokens.json", "vocab.json"), _as_it_is)
