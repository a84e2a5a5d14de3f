"""API keys: each has a name, by which its use is logged and counted."""

from __future__ import annotations

import logging
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from ovms_core.configuration.errors import ConfigurationError

_log = logging.getLogger("ovms.configuration")


def read_keys(file: Path) -> dict[str, SecretStr]:
    """The keys in `file`, a line each: ``KEY`` or ``NAME:KEY``; ``#`` starts a comment line."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
        readable_by_all = bool(file.stat().st_mode & stat.S_IROTH)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigurationError(f"'api_key_file' {file} cannot be read: {reason}.") from None
    if readable_by_all:
        _log.warning("Every user of this machine can read the API keys in %s: run 'chmod o-r %s'.", file, file)
    keys = named_keys([line for line in lines if line.strip() and not line.lstrip().startswith("#")], str(file))
    if not keys:
        raise ConfigurationError(f"'api_key_file' {file} contains no key: write one per line, as KEY or NAME:KEY.")
    return {name: SecretStr(key) for name, key in keys.items()}


def normalized_keys(values: dict[str, Any], where: str) -> dict[str, Any]:
    """`values` with ``api_keys`` as a mapping of sound keys. Raises `ConfigurationError`, which never shows a key."""
    for name in ("api_keys", "api_key_file"):
        if name in values and not values[name]:
            raise ConfigurationError(f"{where}: '{name}' is empty: add a key, or remove it to serve without keys.")
    keys = values.get("api_keys")
    if isinstance(keys, list):
        return {**values, "api_keys": named_keys(keys, where)}
    if isinstance(keys, dict):
        return {**values, "api_keys": {name: _sound(key, f"{where}: API key '{name}'") for name, key in keys.items()}}
    return values


def named_keys(entries: Iterable[Any], shown: str) -> dict[str, str]:
    """``KEY`` and ``NAME:KEY`` entries by name; a key without one is called ``key-N``, N from 1.

    Raises `ConfigurationError`, which never shows a key.
    """
    keys: dict[str, str] = {}
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, str):
            raise ConfigurationError(f"{shown}: API key {number} must be text: put it in quotes.")
        name, _, key = entry.strip().rpartition(":") if entry.count(":") == 1 else ("", "", entry)
        name = name.strip() or f"key-{number}"
        if name in keys:
            raise ConfigurationError(f"{shown}: two API keys have the name '{name}': rename one of them.")
        keys[name] = _sound(key, f"{shown}: API key {number}")
    return keys


def _sound(key: Any, shown: str) -> Any:
    """`key` if a client can send it, and must: everybody can send an empty one. What is no text is left as it is."""
    if not isinstance(key, str):
        return key
    key = key.strip()
    if not key:
        raise ConfigurationError(f"{shown} is empty.")
    if any(character.isspace() or not character.isprintable() for character in key):
        raise ConfigurationError(f"{shown} contains a space or a control character. Put comments on separate lines.")
    return key
