"""Reads the settings from where users write them: a file, the environment, the command line.

The strongest wins: the command line, then ``OVMS_…`` variables, then ``ovms.yaml``, then the defaults.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ovms_core.configuration.document import read_document
from ovms_core.configuration.environment import read_environment
from ovms_core.configuration.errors import ConfigurationError, validated
from ovms_core.configuration.keys import read_keys
from ovms_core.configuration.layer import Layer, merged
from ovms_core.configuration.models import check_names, default_name, normalized
from ovms_core.configuration.options import validate_options
from ovms_core.configuration.variables import substituted
from ovms_core.settings import Settings

__all__ = [
    "ConfigurationError",
    "check_names",
    "default_name",
    "read_settings",
    "validate_options",
]

_FILE = "ovms.yaml"


def read_settings(
    file: Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, Any] | None = None,
    directory: Path | None = None,
) -> Settings:
    """The settings from `file`, `environ` and `overrides`, each stronger than the one before.

    Without `file` it is the one that ``OVMS_CONFIG`` names, else ``ovms.yaml`` in `directory` (the current
    one by default) if there is one. `overrides` is what the command line set: ``{"port": 9000,
    "models": ["qwen3=OpenVINO/Qwen3-8B-int4-ov"]}``. Raises `ConfigurationError` naming every wrong key
    and value with its path, and where it was written.
    """
    directory = directory or Path.cwd()
    from_file = _file_layer(file, environ, directory)
    layers = [
        from_file,
        normalized(read_environment(environ, _sections(from_file)), directory),
        normalized(_command_line(overrides or {}), directory),
    ]
    layer = merged(layers)
    settings = validated(Settings, layer.values, layer.where).written_at(layer.where)
    check_names(settings)
    return _with_key_file(settings)


def _file_layer(file: Path | None, environ: Mapping[str, str], directory: Path) -> Layer:
    named = file or (Path(environ["OVMS_CONFIG"]) if environ.get("OVMS_CONFIG") else None)
    path = directory / (named or _FILE)
    if named is None and not _is_there(path):
        return Layer({}, {})
    document = read_document(path, shown=str(named or _FILE))
    return normalized(substituted(document, environ), path.parent)


def _sections(layer: Layer) -> list[str]:
    plugins = layer.values.get("plugins")
    return [name for name in plugins if isinstance(name, str)] if isinstance(plugins, dict) else []


def _is_there(path: Path) -> bool:
    """Never "no" where the file only cannot be seen: there may be API keys in it."""
    try:
        return path.is_file()
    except OSError as error:
        reason = f"this user cannot look for {path.name} in {path.parent}: {error.strerror}"
        raise ConfigurationError(f"{reason}. Start from another folder, or allow it.") from None


def _command_line(overrides: Mapping[str, Any]) -> Layer:
    values = {name: value for name, value in overrides.items() if value is not None}
    return Layer(values, {(name,): _flag(name) for name in values})


def _flag(name: str) -> str:
    return "command line" if name == "models" else "--" + name.replace("_", "-")


def _with_key_file(settings: Settings) -> Settings:
    if settings.api_key_file is None:
        return settings
    keys = read_keys(Path(settings.api_key_file))
    twice = sorted(keys.keys() & settings.api_keys.keys())
    if twice:
        raise ConfigurationError(
            f"{settings.api_key_file}: the API key name '{twice[0]}' is in 'api_keys' too: rename one of them."
        )
    return settings.model_copy(update={"api_keys": {**settings.api_keys, **keys}})
