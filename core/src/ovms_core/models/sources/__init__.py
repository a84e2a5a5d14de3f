"""The sources that the core brings along, and how a model's name is read."""

from __future__ import annotations

from ovms_core.models.source import Source
from ovms_core.models.sources.folder import FolderSource
from ovms_core.models.sources.hub import HubSource
from ovms_core.models.sources.pypi import PypiSource
from ovms_core.models.sources.reference import Reference, parse_reference

__all__ = ["FolderSource", "HubSource", "PypiSource", "Reference", "builtin_sources", "parse_reference"]


def builtin_sources() -> list[Source]:
    """The sources ``file:``, ``pypi:`` and ``hf:``."""
    return [FolderSource(), PypiSource(), HubSource()]
