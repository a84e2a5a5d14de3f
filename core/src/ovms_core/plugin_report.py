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

    @property
    def remark(self) -> str:
        """Why it is not active, or what it is warned of, in a line."""
        return self.reason or "; ".join(self.warnings)

    @property
    def account(self) -> str:
        """The remark, with where its code failed."""
        return f"{self.remark}\n{self.traceback}" if self.traceback else self.remark
