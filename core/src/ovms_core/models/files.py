"""The files of a model, as detection sees them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model's folder, or its single file; `names` are relative to the folder, with ``/`` between parts."""

    path: Path
    names: frozenset[str]

    @classmethod
    def at(cls, path: Path) -> ModelFiles:
        """The files at `path`. Raises `FileNotFoundError` when nothing is there."""
        if path.is_file():
            return cls(path, frozenset({path.name}))
        if not path.is_dir():
            raise FileNotFoundError(path)
        return cls(path, frozenset(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()))

    def has(self, *names: str) -> bool:
        """Whether any of `names` is among the files."""
        return any(name in self.names for name in names)

    def ending(self, *suffixes: str) -> list[str]:
        """The names that end in one of `suffixes`, sorted."""
        return sorted(name for name in self.names if name.endswith(suffixes))

    def json(self, name: str) -> dict[str, Any]:
        """The JSON object in file `name`; empty when there is none or it is not an object."""
        if name not in self.names or self.path.is_file():
            return {}
        try:
            document = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}
