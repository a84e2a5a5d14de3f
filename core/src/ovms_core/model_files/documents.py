"""The small files that a model comes with, as tools and people write them. Imports nothing heavy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from ovms_core.errors import LoadError

T = TypeVar("T")

_LARGEST: Final = 64 << 20


def read_text(folder: Path, name: str) -> str | None:
    """The text in file `name` of the model in `folder`; `None` when there is none.

    UTF-8, or what a byte order mark at its beginning says; lines may end as on any system. Raises `LoadError`, naming
    the file, when it is no text, larger than 64 MiB or cannot be read.
    """
    file = folder / name
    try:
        if not file.exists():
            return None
        if not file.is_file():
            raise _unreadable(name, "it is not a file")
        if file.stat().st_size > _LARGEST:
            raise _unreadable(name, f"it has more than {_LARGEST >> 20} MiB")
        data = file.read_bytes()
        text = data.decode(json.detect_encoding(data))
    except OSError as error:
        raise _unreadable(name, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise _unreadable(name, f"byte {error.start} is not {error.encoding.upper()} ({error.reason})") from error
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def read_document(folder: Path, name: str, kind: type[T]) -> T:
    """The JSON document in file `name` of the model in `folder`, as a `kind` (a `msgspec.Struct`, ``list[…]``, …).

    An empty one, ``kind()``, when there is no such file. ``NaN`` and infinities, as transformers writes them, are
    numbers; of a key that stands twice the last one counts. Raises `LoadError`, naming the file, and the key where
    it is one that has the wrong type.

    Example::

        class Pooling(msgspec.Struct):
            pooling_mode: str | None = None

        pooling = read_document(folder, "1_Pooling/config.json", Pooling)
    """
    text = read_text(folder, name)
    return kind() if text is None else checked(_parsed(text, name), kind, name)


def checked(document: Any, kind: type[T], name: str) -> T:
    """`document`, which stands in file `name`, as a `kind`. Raises `LoadError` that names the file and the key."""
    try:
        return msgspec.convert(document, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise LoadError(f"'{name}' of the model is malformed: {error}. Mend it, or fetch the model anew.") from error


def _parsed(text: str, name: str) -> Any:
    try:
        document = json.loads(text)
        json.dumps(document, ensure_ascii=False).encode()
        return document
    except RecursionError as error:
        raise _unreadable(name, "it is nested too deeply") from error
    except UnicodeEncodeError as error:
        raise _unreadable(name, "it holds half a surrogate pair") from error
    except ValueError as error:
        raise _unreadable(name, f"it is not JSON ({error})" if text.strip() else "it is empty") from error


def _unreadable(name: str, reason: str) -> LoadError:
    return LoadError(f"'{name}' of the model cannot be read: {reason}. Mend it, or fetch the model anew.")
