"""A ``tokenizer.json``, made from the older files of a Hugging Face tokenizer. Imports nothing heavy before it is made.

Needs the extra ``ovms-openvino[conversion]``.
"""

from __future__ import annotations

import os
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from ovms_core.engine import LoadError
from ovms_openvino.derived import derived

FAST_TOKENIZER: Final = "tokenizer.json"
_VOCABULARIES: Final = (
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "spm.model",
)
_READERS: Final = {".txt": ("transformers",), ".json": ("transformers",), ".model": ("transformers", "sentencepiece")}
"""The packages that read vocabularies, by their suffixes."""
_BESIDE: Final = ("config.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


def fast_tokenizer(folder: Path, work_dir: Path | None) -> Path:
    """The folder of ``tokenizer.json`` for the model in `folder`: itself, or one in `work_dir` with a converted one.

    Reads local files only and runs no code of the model's. Raises `LoadError` with the command that makes it elsewhere.
    """
    if (folder / FAST_TOKENIZER).exists():
        return folder
    sources = [folder / name for name in (*_VOCABULARIES, *_BESIDE) if (folder / name).is_file()]
    vocabularies = [source for source in sources if source.name in _VOCABULARIES]
    if work_dir is None or not vocabularies:
        raise _impossible(folder, f"it has none of the files that one could be made of either ({_VOCABULARIES[0]}, …)")
    for package in _READERS[vocabularies[0].suffix]:
        if find_spec(package) is None:
            reason = f"one is made with {package}, which is not installed: run pip install 'ovms-openvino[conversion]'"
            raise _impossible(folder, reason)
    return derived(work_dir / "tokenizer", sources, 1, partial(_convert, folder))


def _convert(folder: Path, into: Path) -> None:
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # it would miss PyTorch, which nothing here needs
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        _require_vocabulary(tokenizer, folder)
        tokenizer.backend_tokenizer.save(str(into / FAST_TOKENIZER))
    except Exception as error:  # transformers raises whatever its readers do
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = f"none can be made of its other files ({type(error).__name__}{f': {lines[0]}' if lines else ''})"
        raise _impossible(folder, reason) from error


def _require_vocabulary(tokenizer: Any, folder: Path) -> None:
    """Raise `ValueError` for a tokenizer whose vocabulary transformers did not find: it makes an empty one then."""
    names = [name for key, name in tokenizer.vocab_files_names.items() if key != "tokenizer_file"]
    if not any((folder / name).is_file() for name in names):
        raise ValueError(f"a {type(tokenizer).__name__} wants {' or '.join(names)}")


def _impossible(folder: Path, reason: str) -> LoadError:
    command = f"AutoTokenizer.from_pretrained('ORIGINAL_MODEL').save_pretrained('{folder.name}')"
    return LoadError(
        f"'{folder.name}' has no tokenizer.json, and {reason}. Make it from the original model: "
        f'python -c "from transformers import AutoTokenizer; {command}"'
    )
