"""The functions that a model may call, and how it may use them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the client's. `parameters` is the JSON schema of its arguments, an object.

    With `strict` the arguments must fit all of the schema; else what cannot be enforced is let go.
    """

    name: str
    parameters: dict[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    description: str | None = None
    strict: bool = False

    def for_template(self) -> dict[str, Any]:
        """The function as chat templates take it (https://huggingface.co/docs/transformers/chat_extras)."""
        function = {"name": self.name, "description": self.description or "", "parameters": self.parameters}
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class ToolUse:
    """Which `functions` the model knows, and whether it may, need not or must call one.

    `allowed` names those that it may call, all by default; the others are only shown, and the prompt stays the same.
    `many` calls may be made in one answer, or one.
    """

    functions: tuple[Function, ...]
    choice: Literal["auto", "required"] = "auto"
    allowed: frozenset[str] | None = None
    many: bool = True

    @property
    def callable(self) -> tuple[Function, ...]:
        """The functions that may be called."""
        return tuple(each for each in self.functions if self.allowed is None or each.name in self.allowed)
