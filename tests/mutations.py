"""Models' small files, spoilt in every way that people and tools have spoilt them; the same ways in every run."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ovms_core.engine import LoadError

Spoil = Callable[[bytes, random.Random], tuple[str, bytes | None]]
"""From a file's content to what was done, and the new content; `None` for a file that goes."""

WRONG: Sequence[Any] = (
    *(None, True, False, 0, 1, -1, 2.5, 10**400, float("nan"), float("inf"), "", "x", "\ud800", "1", "{{", "../.."),
    *([], [None], ["x"], [[]], {}, {"x": 1}, {"content": None}, [{"name": 1}], "a" * 1_000_000, list(range(10_000))),
)
"""Values that stand where others should."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One spoilt file of a model."""

    number: int
    file: str
    what: str
    content: bytes | None

    def __str__(self) -> str:
        return f"{self.number}: {self.file}, {self.what}"

    def apply(self, folder: Path) -> None:
        """Spoil the file in `folder`; a link there is replaced, and what it leads to stays whole."""
        (folder / self.file).unlink(missing_ok=True)
        if self.content is not None:
            (folder / self.file).write_bytes(self.content)


def mutations(folder: Path, files: Sequence[str], count: int = 200) -> Iterator[Mutation]:
    """`count` mutations of `files` in `folder`, which are JSON: each file in turn, and each way in turn."""
    originals = {name: (folder / name).read_bytes() for name in files}
    for number in range(count):
        chance = random.Random(number)
        name = files[number % len(files)]
        spoil = _WAYS[number // len(files) % len(_WAYS)]
        what, content = spoil(originals[name], chance)
        yield Mutation(number, name, what, content)


def linked_copy(original: Path, folder: Path) -> Path:
    """`folder` with links to the files of `original`, which can be replaced there."""
    copy = shutil.copytree(original, folder, copy_function=lambda source, target: Path(target).symlink_to(source))
    return Path(copy)


def unnamed(folder: Path, files: Sequence[str], read: Callable[[Mutation], object]) -> list[str]:
    """The errors of `read` that do not name the spoilt file, over all mutations of `files` in `folder`."""
    found = []
    for mutation in mutations(folder, files):
        whole = (folder / mutation.file).read_bytes()
        mutation.apply(folder)
        try:
            read(mutation)
        except LoadError as error:
            if mutation.file not in str(error):
                found.append(f"{mutation}: {error}")
        (folder / mutation.file).write_bytes(whole)
    return found


def _missing(data: bytes, chance: random.Random) -> tuple[str, None]:
    return "missing", None


def _empty(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    return "empty", chance.choice([b"", b" \n", b"{}", b"[]", b"null", b'""', b"0"])


def _truncated(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    length = chance.randrange(1, max(2, len(data)))
    return f"cut after {length} bytes", data[:length]


def _huge(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    return chance.choice(
        [
            ("with 65 MiB of white space", data + b" " * (65 << 20)),
            ("nested 100 000 deep", b"[" * 100_000 + b"]" * 100_000),
            ("a key nested 100 000 deep", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
            ("with a number of 5 000 digits", b'{"eos_token_id": ' + b"9" * 5_000 + b"}"),
        ]
    )


def _bytes(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    at = chance.randrange(max(1, len(data)))
    return chance.choice(
        [
            ("with a byte order mark", b"\xef\xbb\xbf" + data),
            ("in UTF-16", data.decode().encode("utf-16")),
            ("with CRLF", data.replace(b"\n", b"\r\n")),
            (f"with byte 0xff at {at}", data[:at] + b"\xff" + data[at:]),
            (f"with a NUL at {at}", data[:at] + b"\0" + data[at:]),
            ("twice", data + data),
        ]
    )


def _wrong_type(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    document = json.loads(data)
    places = list(_places(document))
    if not places:
        return "a list", b"[1]"
    holder, key, shown = chance.choice(places)
    wrong = chance.choice(WRONG)
    holder[key] = wrong
    return f"{shown} is {str(wrong)[:20]!a}", json.dumps(document).encode()


def _lost_key(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    document = json.loads(data)
    places = list(_places(document))
    if not places:
        return "a string", b'"x"'
    holder, key, shown = chance.choice(places)
    del holder[key]
    return f"without {shown}", json.dumps(document).encode()


def _places(document: Any, shown: str = "$") -> Iterator[tuple[Any, Any, str]]:
    """Every member of every object and list, as what holds it, its key, and its path."""
    members: Any = ()
    if isinstance(document, dict):
        members = [(key, f"{shown}.{key}") for key in document]
    elif isinstance(document, list):
        members = [(at, f"{shown}[{at}]") for at in range(len(document))]
    for key, path in members:
        yield document, key, path
        yield from _places(document[key], path)


_WAYS: Sequence[Spoil] = (
    _missing,
    _wrong_type,
    _empty,
    _wrong_type,
    _truncated,
    _wrong_type,
    _bytes,
    _lost_key,
    _huge,
    _wrong_type,
)
