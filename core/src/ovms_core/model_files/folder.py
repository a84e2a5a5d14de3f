"""The files of a model, as detection sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ovms_core.errors import LoadError
from ovms_core.model_files.documents import read_document


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model's folder, or its single file; `names` are relative to the folder, with ``/`` between parts.

    `problems` says of the files that were asked for by `json` why they could not be read.
    """

    path: Path
    names: frozenset[str]
    problems: list[str] = field(default_factory=list, compare=False)

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
        """The names that end in one of `suffixes`, which are lower case, in any case themselves; sorted."""
        return sorted(name for name in self.names if name.lower().endswith(suffixes))

    def json(self, name: str) -> dict[str, Any]:
        """The JSON object in file `name`; empty when there is none or it is not an object."""
        if name not in self.names or self.path.is_file():
            return {}
        try:
            return read_document(self.path, name, dict[str, Any])
        except LoadError as error:
            if str(error) not in self.problems:
                self.problems.append(str(error))
            return {}
