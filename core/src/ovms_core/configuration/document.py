"""YAML, read safely, with the line of every value."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import yaml

from ovms_core.configuration.errors import ConfigurationError
from ovms_core.configuration.layer import Layer
from ovms_core.diagnostics.field_errors import Path, json_path

_STRING = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"


def read_document(file: pathlib.Path, *, shown: str) -> Layer:
    """The YAML (or JSON) document in `file` as a layer; errors call the file `shown` and name the line."""
    value, lines = parse(_read(file, shown), shown)
    if value is None:
        return Layer({}, {})
    if not isinstance(value, dict):
        kind = "list" if isinstance(value, list) else "single value"
        raise ConfigurationError(f"{shown}: the file must contain settings such as 'port: 8000', not a {kind}.")
    return Layer(value, {path: f"{shown}, line {line}" for path, line in lines.items()})


def parse(text: str, shown: str) -> tuple[Any, dict[Path, int]]:
    """The value of the YAML `text`, and the line of every path in it, counted from 1.

    Raises `ConfigurationError` with the line and column, also for a key that is there twice.
    """
    try:
        return _parse(text, shown)
    except yaml.MarkedYAMLError as error:
        problem = error.problem or error.context
        hint = _hint(text, error.problem_mark)
        raise ConfigurationError(f"{shown}{_position(error.problem_mark)}: not valid YAML: {problem}.{hint}") from None
    except RecursionError:
        raise ConfigurationError(f"{shown}: it is nested too deeply.") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{shown}: not valid YAML: {' '.join(str(error).split())}.") from None


def _hint(text: str, mark: yaml.Mark | None) -> str:
    """A plain text within ``{…}`` or ``[…]`` can hold no braces."""
    line = text.splitlines()[mark.line] if mark is not None and mark.line < len(text.splitlines()) else ""
    return " Put '${…}' in quotes within { } or [ ]." if "${" in line else ""


def _parse(text: str, shown: str) -> tuple[Any, dict[Path, int]]:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, {}
        lines = dict(_lines(node, shown))
        return loader.construct_document(node), lines
    finally:
        loader.dispose()


def _read(file: pathlib.Path, shown: str) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigurationError(f"{shown}: there is no such file.") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{shown}: the file must be UTF-8, but byte {error.start} is not.") from None
    except OSError as error:
        raise ConfigurationError(f"{shown}: cannot be read: {error.strerror}.") from None


def _lines(node: yaml.Node, shown: str, at: Path = (), around: tuple[int, ...] = ()) -> Iterator[tuple[Path, int]]:
    if id(node) in around:
        raise ConfigurationError(f"{shown}{_position(node.start_mark)}: '{json_path(at)}' contains itself.")
    for step, line, child in _children(node, shown, at):
        path = (*at, step)
        yield path, line
        yield from _lines(child, shown, path, (*around, id(node)))


def _children(node: yaml.Node, shown: str, at: Path) -> Iterator[tuple[str | int, int, yaml.Node]]:
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield index, item.start_mark.line + 1, item
    elif isinstance(node, yaml.MappingNode):
        yield from _entries(node, shown, at)


def _entries(node: yaml.MappingNode, shown: str, at: Path) -> Iterator[tuple[str, int, yaml.Node]]:
    seen: dict[str, int] = {}
    for key, value in node.value:
        if key.tag == _MERGE:
            continue
        name, line = _name(key, shown), key.start_mark.line + 1
        if name in seen:
            path = json_path((*at, name))
            raise ConfigurationError(f"{shown}, line {line}: '{path}' is set twice, first in line {seen[name]}.")
        seen[name] = line
        yield name, line, value


def _name(key: yaml.Node, shown: str) -> str:
    if isinstance(key, yaml.ScalarNode) and key.tag == _STRING:
        return str(key.value)
    written = f"'{key.value}'" if isinstance(key, yaml.ScalarNode) else "a list or mapping"
    raise ConfigurationError(
        f"{shown}{_position(key.start_mark)}: a key must be text, but YAML reads {written} as something else: "
        "put it in quotes."
    )


def _position(mark: yaml.Mark | None) -> str:
    return "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
