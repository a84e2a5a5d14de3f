"""The modules that a model of sentence-transformers consists of, one after the other (``modules.json``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from ovms_core.model_files import read_document

_NOTHING = ("Dropout",)
"""Modules that only matter in training."""


class _Entry(msgspec.Struct):
    type: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Module:
    """A module: its kind, such as ``Pooling``, and its folder. `foreign` names code that is the model's own."""

    kind: str
    path: str = ""
    foreign: str | None = None

    def file(self, name: str) -> str:
        """The name of its file `name`, from the model's folder."""
        return (PurePosixPath(self.path) / name).as_posix()


@dataclass(frozen=True, slots=True)
class Modules:
    """The modules of a model; of one that names none `listed` is empty."""

    listed: tuple[Module, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Modules:
        """What ``modules.json`` lists. Raises `LoadError` when it is malformed."""
        entries = read_document(folder, "modules.json", list[_Entry])
        modules = (Module(entry.type.rpartition(".")[2], entry.path, _foreign(entry.type)) for entry in entries)
        return cls(tuple(module for module in modules if module.kind not in _NOTHING))

    def folder_of(self, kind: str, default: str) -> str:
        """The folder of the first module of that kind."""
        return next((module.path for module in self.listed if module.kind == kind), default)

    @property
    def normalize(self) -> bool:
        """Whether vectors have length 1 in the end."""
        return bool(self.listed) and self.listed[-1].kind == "Normalize"

    @property
    def steps(self) -> tuple[Module, ...]:
        """What is neither the model nor its pooling, nor the normalisation at the end."""
        inner = self.listed[:-1] if self.normalize else self.listed
        return tuple(module for module in inner if module.kind not in ("Transformer", "Pooling"))

    def foreign(self) -> Iterator[str]:
        """The modules that are the model's own code."""
        return (module.foreign for module in self.listed if module.foreign)


def _foreign(type: str) -> str | None:
    return None if type.startswith("sentence_transformers.") else type
