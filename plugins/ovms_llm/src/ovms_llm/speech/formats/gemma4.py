"""Gemma 4 (https://ai.google.dev/gemma/docs/core/prompt-formatting-gemma4)."""

from __future__ import annotations

from typing import Any

from ovms_llm.messages import Thinking
from ovms_llm.speech.formats.functiongemma import FunctionGemma


class Gemma4(FunctionGemma):
    """Writes calls as FunctionGemma does, between other marks, and may think first."""

    name = "gemma4"
    opening = "<|tool_call>"
    closing = "<tool_call|>"
    quote = '<|"|>'
    markers = (opening, closing, quote, "<|channel>", "<channel|>")
    thinking = Thinking("<|channel>thought", "<channel|>")

    def template_variables(self, effort: str) -> dict[str, Any]:
        """The template knows whether to think, not how much."""
        return {"enable_thinking": effort != "none"}
