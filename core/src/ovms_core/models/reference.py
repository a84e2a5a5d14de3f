"""What users write to name a model, and what it means."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from ovms_core.models.source import SourceError
from ovms_core.paths import is_there

MODEL_SUFFIXES = (".gguf", ".onnx", ".xml")
"""Suffixes of single files that are a model."""

_PACKAGES = {"hf": "ovms-sources", "pypi": "ovms-sources", "starter": "ovms-starter"}
"""What to install for the sources that the documentation speaks of."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)  # two letters at least: "C:\models" is a path
_DRIVE = re.compile(r"[A-Za-z]:([\\/]|$)")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*([@:][^\s:@]+)*")
_HUB_PAGE = re.compile(r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/([^/\s]+/[^/?#\s]+)")


@dataclass(frozen=True, slots=True)
class Reference:
    """A model's name within the source that `scheme` stands for."""

    scheme: str
    name: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.name}"


def is_scheme(text: str) -> bool:
    """Whether a source can have this scheme: what stands before the colon, lower case."""
    return _split_scheme(f"{text}:NAME") == (text, "NAME")


def parse_reference(text: str, schemes: Collection[str]) -> Reference:
    """Which source and model `text` means: ``hf:org/name``, ``org/name``, ``pypi:name``, ``./folder``, ``/m.gguf``.

    `schemes` are those of the installed sources. A path wins over a hub name where something is at
    that path. Raises `SourceError` with a suggestion, or with the package that brings the source.
    """
    text = text.strip()
    scheme, name = _split_scheme(text)
    if scheme in schemes:
        return _named(scheme, name, text)
    if _is_path(text):
        return Reference("file", text)
    if scheme:
        raise SourceError(_unknown_scheme(text, scheme, schemes))
    if _HUB_NAME.fullmatch(text):
        return _of_the_hub(text, schemes)
    raise SourceError(_unclear(text, schemes))


def _split_scheme(text: str) -> tuple[str, str]:
    match = _SCHEME.fullmatch(text)
    return (match[1].lower(), match[2]) if match else ("", text)


def _named(scheme: str, name: str, text: str) -> Reference:
    if not name:
        raise SourceError(f"'{text}' does not name a model: write {scheme}:NAME.")
    return Reference(scheme, name)


def _of_the_hub(text: str, schemes: Collection[str]) -> Reference:
    if "hf" not in schemes:
        raise SourceError(f"There is nothing at the path '{text}'. {_not_active(f'hf:{text}', 'hf')}")
    return Reference("hf", text)


def _not_active(text: str, scheme: str) -> str:
    package = _PACKAGES[scheme]
    return (
        f"'{text}' needs the source '{scheme}:' of {package}: run 'pip install {package}'. "
        "If that is installed already, 'ovms plugins' says why it is not active."
    )


def _is_path(text: str) -> bool:
    if not text or "\0" in text:
        return False
    marked = text.startswith((".", "~", "/", "\\")) or _DRIVE.match(text)
    # A single file of a hub repository has two slashes and its scheme: "hf:org/name/file.gguf".
    return bool(marked) or (text.lower().endswith(MODEL_SUFFIXES) and "://" not in text) or is_there(Path(text))


def _unknown_scheme(text: str, scheme: str, schemes: Collection[str]) -> str:
    if page := _HUB_PAGE.match(text):
        return f"'{text}' is a web page: name the model as hf:{page[1]}."
    if scheme in _PACKAGES:
        return _not_active(text, scheme)
    known = ", ".join(f"{each}:" for each in sorted(schemes))
    close = get_close_matches(scheme, schemes, n=1)
    hint = f" Did you mean '{close[0]}:{text.partition(':')[2]}'?" if close else ""
    return f"'{text}': no source has the scheme '{scheme}:'. Known schemes: {known}.{hint}"


def _unclear(text: str, schemes: Collection[str]) -> str:
    ways = ["a hub model as org/name", "a folder or file by its path (./folder)"]
    ways += [f"{scheme}:NAME" for scheme in sorted(schemes) if scheme not in {"hf", "file"}]
    return (
        f"'{text}' is no model that can be found: nothing is at that path. Name {', '.join(ways[:-1])} or {ways[-1]}."
    )
