"""Answers, as Anthropic's clients read them (https://docs.claude.com/en/docs/build-with-claude/streaming)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from ovms_llm.messages import Delta, Started

_STOP_REASONS: Final = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


@dataclass(slots=True)
class Reply:
    """A message by `model`, put together from the engine's events."""

    model: str
    id: str = field(default_factory=lambda: f"msg_{uuid.uuid4().hex}")
    pieces: list[str] = field(default_factory=list)
    input_tokens: int = 0
    output_tokens: int = 0
    stop_reason: str = "end_turn"
    stop_sequence: str | None = None

    def add(self, event: Any) -> None:
        """Take in an event, whatever it is."""
        if isinstance(event, Started):
            self.input_tokens = event.prompt_tokens
        elif isinstance(event, Delta):
            self.pieces.append(event.text)
            self.output_tokens += len(event.tokens)
            self._finish(event)

    def _finish(self, delta: Delta) -> None:
        if delta.finish_reason is None:
            return
        self.stop_reason = _STOP_REASONS[delta.finish_reason]
        if isinstance(delta.stop_reason, str):
            self.stop_reason, self.stop_sequence = "stop_sequence", delta.stop_reason

    def document(self) -> dict[str, Any]:
        """The whole message."""
        return {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [{"type": "text", "text": "".join(self.pieces)}],
            **self.ending(),
            "usage": {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens},
        }

    def opening(self) -> dict[str, Any]:
        """The message before it has said anything: what a stream begins with."""
        return self.document() | {"content": [], "stop_reason": None, "stop_sequence": None}

    def ending(self) -> dict[str, Any]:
        """Why it stopped."""
        return {"stop_reason": self.stop_reason, "stop_sequence": self.stop_sequence}
