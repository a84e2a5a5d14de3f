"""One place that settings are written in, and how such places are laid over each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ovms_core.diagnostics.field_errors import Path


class Mark(str):
    """Where a value was written, and how if it came from variables (``${PORT}``): then it may be a secret."""

    def __new__(cls, where: str, *, written: str) -> Self:
        mark = super().__new__(cls, where)
        mark.written = written
        return mark

    written: str


@dataclass(frozen=True, slots=True)
class Layer:
    """Values, and for paths within them where they were written: ``ovms.yaml, line 3``, ``OVMS_PORT``, ``--port``."""

    values: dict[str, Any]
    marks: Mapping[Path, str]

    def where(self, path: Sequence[str | int]) -> str | None:
        """Where the value at `path` was written, or else the innermost thing around it."""
        steps = tuple(path)
        prefixes = (steps[:length] for length in range(len(steps), -1, -1))
        return next((self.marks[prefix] for prefix in prefixes if prefix in self.marks), None)


def merged(layers: Sequence[Layer]) -> Layer:
    """The layers as one; later ones are stronger. Sections are merged, everything else is replaced."""
    result = Layer({}, {})
    for layer in layers:
        result = _over(result, layer)
    return result


def _over(weaker: Layer, stronger: Layer) -> Layer:
    replaced = set(_replaced(weaker.values, stronger.values))
    kept = {path: mark for path, mark in weaker.marks.items() if not _within(path, replaced)}
    return Layer(_merge(weaker.values, stronger.values), {**kept, **stronger.marks})


def _merge(weaker: dict[str, Any], stronger: dict[str, Any]) -> dict[str, Any]:
    result = dict(weaker)
    for name, value in stronger.items():
        sections = _is_section(name, value) and _is_section(name, weaker.get(name))
        result[name] = _merge(weaker[name], value) if sections else value
    return result


def _replaced(weaker: dict[str, Any], stronger: dict[str, Any], at: Path = ()) -> Iterator[Path]:
    for name, value in stronger.items():
        if _is_section(name, value) and _is_section(name, weaker.get(name)):
            yield from _replaced(weaker[name], value, (*at, name))
        else:
            yield (*at, name)


def _is_section(name: str, value: object) -> bool:
    """API keys are one value: a stronger place can take a key away only by replacing them all."""
    return isinstance(value, dict) and name != "api_keys"


def _within(path: Path, roots: set[Path]) -> bool:
    return any(path[:length] in roots for length in range(1, len(path) + 1))
