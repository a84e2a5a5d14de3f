"""``${VAR}`` and ``${VAR:-default}`` in the values of a configuration file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ovms_core.configuration.errors import ConfigurationError
from ovms_core.configuration.layer import Layer, Mark
from ovms_core.diagnostics.field_errors import Path, json_path

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^{}]*))?\})?", re.ASCII)


def substituted(layer: Layer, environ: Mapping[str, str]) -> Layer:
    """`layer` with the variables in its texts replaced; a text stays a text, which its setting's type reads.

    A default is for a variable that is not set, or empty. Raises `ConfigurationError` with every variable that is not
    set and has no default, and where it stands.
    """
    return _Substitution(layer, environ).run()


class _Substitution:
    def __init__(self, layer: Layer, environ: Mapping[str, str]) -> None:
        self._layer = layer
        self._environ = environ
        self._marks = dict(layer.marks)
        self._problems: list[str] = []

    def run(self) -> Layer:
        values = self._replaced(self._layer.values, ())
        if self._problems:
            raise ConfigurationError("\n".join(self._problems))
        return Layer(values, self._marks)

    def _replaced(self, value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {name: self._replaced(item, (*path, name)) for name, item in value.items()}
        if isinstance(value, list):
            return [self._replaced(item, (*path, index)) for index, item in enumerate(value)]
        return self._text(value, path) if isinstance(value, str) and "${" in value else value

    def _text(self, text: str, path: Path) -> str:
        self._marks[path] = Mark(self._layer.where(path) or "", written=text)
        return _REFERENCE.sub(lambda found: self._value(found, path), text)

    def _value(self, found: re.Match[str], path: Path) -> str:
        if found[0] == "$${":
            return "${"
        name, default = found["name"], found["default"]
        if name is None:
            rest = found.string[found.start() :][:40]
            return self._problem(
                path, f"'{rest}' is not understood: write ${{NAME}} or ${{NAME:-default}}, and $${{ for ${{ itself."
            )
        value = self._environ.get(name)
        if default is not None:
            return value or default
        if value is None:
            return self._problem(path, f"the variable {name} is not set: set it, or write ${{{name}:-default}}.")
        return value

    def _problem(self, path: Path, reason: str) -> str:
        where = self._layer.where(path)
        self._problems.append(f"{where}: '{json_path(path)}': {reason}")
        return ""
