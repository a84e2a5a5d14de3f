"""Vocabularies of OpenAI's tokenizers: their token ids back to text."""

from __future__ import annotations

import gzip
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from ovms_core.engine import LoadError

_PACKAGE = "bpe-openai"
_PLACE = "bpe_openai/data/{}.tiktoken.gz"
_SPECIAL = {
    "cl100k_base": {
        100257: b"<|endoftext|>",
        100258: b"<|fim_prefix|>",
        100259: b"<|fim_middle|>",
        100260: b"<|fim_suffix|>",
        100276: b"<|endofprompt|>",
    },
    "o200k_base": {199999: b"<|endoftext|>", 200018: b"<|endofprompt|>"},
}
"""Tokens that are not in the files: https://github.com/openai/tiktoken/blob/main/tiktoken_ext/openai_public.py."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The bytes of each token id; `name` is for messages."""

    name: str
    tokens: dict[int, bytes]

    @classmethod
    def load(cls, wanted: str) -> Vocabulary:
        """The vocabulary of that name, or in that file of tiktoken's (a line a token: base64, and the id).

        Raises `LoadError` when it is not there or cannot be read.
        """
        file = _packaged(wanted) if wanted in _SPECIAL else Path(wanted)
        name = file.name.partition(".")[0]
        return cls(name, _read(file) | _SPECIAL.get(name, {}))

    def unknown(self, ids: Sequence[int]) -> int | None:
        """Where the first of `ids` stands that is none; `None` when all are known."""
        return next((at for at, token in enumerate(ids) if token not in self.tokens), None)

    def text(self, ids: Sequence[int]) -> str:
        """The text of `ids`, which must be known.

        A client that sends a long text in parts may divide a character: its halves are left out, since a sign for what
        cannot be read would be a word of its own to a model.
        """
        return b"".join(map(self.tokens.__getitem__, ids)).decode("utf-8", errors="ignore")


def _packaged(name: str) -> Path:
    try:
        return Path(str(distribution(_PACKAGE).locate_file(_PLACE.format(name))))
    except PackageNotFoundError:
        raise LoadError(
            f"options.token_inputs is '{name}', and the package with this vocabulary is not installed: run "
            f"pip install 'ovms-embeddings[tiktoken]', or give the path of {name}.tiktoken."
        ) from None


def _read(file: Path) -> dict[int, bytes]:
    try:
        lines = _unpacked(file).split(b"\n")
        tokens = dict(_token(line) for line in lines if line.strip())
    except OSError as error:
        raise _unreadable(file, error.strerror or "it is damaged") from error
    except (ValueError, EOFError) as error:
        raise _unreadable(file, f"it has no base64 and a number in every line ({error})") from error
    if not tokens:
        raise _unreadable(file, "it is empty")
    return tokens


def _unpacked(file: Path) -> bytes:
    raw = file.read_bytes()
    return gzip.decompress(raw) if file.suffix == ".gz" else raw


def _token(line: bytes) -> tuple[int, bytes]:
    token, id = line.split()
    return int(id), b64decode(token, validate=True)


def _unreadable(file: Path, reason: str) -> LoadError:
    return LoadError(
        f"The vocabulary '{file.name}' of options.token_inputs cannot be read: {reason}. Give the path of a vocabulary "
        f"of tiktoken, or one of the names {', '.join(_SPECIAL)}."
    )
