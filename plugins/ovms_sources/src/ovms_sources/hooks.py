"""What the plugin registers: the sources ``hf:`` and ``pypi:``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ovms_core.plugin import hookimpl

if TYPE_CHECKING:
    from ovms_core.plugin import Source


@hookimpl
def ovms_register_sources() -> Iterable[Source]:
    """The Hugging Face Hub, and wheels of a Python package index."""
    from ovms_sources.hub.source import HubSource
    from ovms_sources.pypi import PypiSource

    return [HubSource(), PypiSource()]
