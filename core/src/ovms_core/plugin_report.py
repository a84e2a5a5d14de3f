"""What became of a plugin."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class PluginState(StrEnum):
    """What became of a plugin."""

    ACTIVE = "active"
    BLOCKED = "blocked"
    INCOMPATIBLE = "incompatible"
    QUARANTINED = "quarantined"


@dataclass(slots=True)
class PluginReport:
    """A plugin as ``ovms plugins`` shows it; `reason` says why it is not active."""

    name: str
    distribution: str = ""
    version: str = ""
    state: PluginState = PluginState.ACTIVE
    reason: str = ""
    traceback: str = ""
    """Where its code failed, cut to its author's frames; nothing if it did not come to that."""
    advice: str = ""
    """What the operator can do about the reason."""
    warnings: list[str] = field(default_factory=list)
    """What is wrong with a plugin that works all the same."""
