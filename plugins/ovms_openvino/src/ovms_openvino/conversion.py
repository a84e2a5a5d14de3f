"""OpenVINO tokenizers, made from the Hugging Face files that a model comes with.

Imports nothing heavy before it converts; needs the extra ``ovms-openvino[conversion]``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from ovms_core.engine import LoadError

TOKENIZERS: Final = ("openvino_tokenizer.xml", "openvino_detokenizer.xml")
_SOURCES: Final = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model", "sentencepiece.bpe.model")


def missing_tokenizers(folder: Path) -> list[str]:
    """Which of the OpenVINO tokenizer and detokenizer, weights included, are not in `folder`."""
    return [
        name
        for name in TOKENIZERS
        if not all((folder / name).with_suffix(suffix).is_file() for suffix in (".xml", ".bin"))
    ]


def convert_tokenizers(source: Path, into: Path, part: str = "") -> None:
    """Write the OpenVINO tokenizer and detokenizer of the Hugging Face tokenizer in folder `source` into `into`.

    Reads local files only and runs no code of the model's. What is in `into` already stays. Raises `LoadError` with the
    commands that make them elsewhere; `part` is the folder within the model, such as ``tokenizer_2``.
    """
    wanted = missing_tokenizers(into)
    if not any((source / name).is_file() for name in _SOURCES):
        raise _impossible(part, wanted, f"there are no Hugging Face files of a tokenizer ({_SOURCES[0]}) either")
    file = "tokenizer.json"
    try:
        _check(source / file)
        file = "tokenizer_config.json"
        models = _converted(source)
    except Exception as error:  # tokenizers, transformers and openvino_tokenizers raise whatever their readers do
        raise _impossible(part, wanted, f"with its '{file}' they cannot be made ({_reason(error)})") from error
    _save({name: models[name] for name in wanted}, into)


def _check(file: Path) -> None:
    """Read what transformers reads last, so that an error can name the file."""
    from tokenizers import Tokenizer

    if file.is_file():
        Tokenizer.from_file(str(file))


def _converted(source: Path) -> dict[str, Any]:
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # it would miss PyTorch, which nothing here needs
    import openvino_tokenizers
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(source), local_files_only=True, trust_remote_code=False)
    models = openvino_tokenizers.convert_tokenizer(tokenizer, with_detokenizer=True)
    return dict(zip(TOKENIZERS, models, strict=True))


def _save(models: dict[str, Any], into: Path) -> None:
    import openvino

    into.mkdir(parents=True, exist_ok=True)
    for name, model in models.items():
        for suffix in (".xml", ".bin"):
            (into / name).with_suffix(suffix).unlink(missing_ok=True)  # half a pair, maybe a link to the model's own
        openvino.save_model(model, into / name, compress_to_fp16=False)


def _impossible(part: str, wanted: list[str], reason: str) -> LoadError:
    names = " and no ".join(f"{part}/{name}" if part else name for name in wanted)
    subfolder = f" --subfolder {part}" if part else ""
    return LoadError(
        f"the model has no {names}, and {reason}. Make them with 'convert_tokenizer ORIGINAL_MODEL{subfolder} "
        f"--with-detokenizer -o {f'FOLDER/{part}' if part else 'FOLDER'}', or export the model anew with 'optimum-cli "
        f"export openvino'"
    )


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
