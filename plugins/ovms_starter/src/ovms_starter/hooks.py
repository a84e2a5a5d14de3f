"""What the plugin registers: the source ``starter:``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ovms_core.plugin import hookimpl

if TYPE_CHECKING:
    from ovms_core.plugin import Source


@hookimpl
def ovms_register_sources() -> Iterable[Source]:
    from ovms_starter.source import StarterSource

    return [StarterSource()]
