"""Phi-4-mini (https://huggingface.co/microsoft/Phi-4-mini-instruct#tool-enabled-function-calling-format)."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from typing import ClassVar

from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.json_format import JsonFormat


class Phi4(JsonFormat):
    """A list of JSON calls between two marks, or behind ``functools``."""

    name = "phi4"
    markers = ("<|tool_call|>", "<|/tool_call|>")
    opening = "<|tool_call|>"
    closing = "<|/tool_call|>"
    other_openings: ClassVar[dict[str, str]] = {"functools[": "]"}
    listed = True
    separator = ", "

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By the marks of tools or calls."""
        if "<|tool|>" in template or "<|tool_call|>" in template:
            return "its chat template writes <|tool|> or <|tool_call|>"
        return None

    def instructions(self, functions: Sequence[Function]) -> str:
        """What the family's template takes from a system message that has tools."""
        described = [function.for_template()["function"] for function in functions]
        return f"<|tool|>{json.dumps(described, ensure_ascii=False)}<|/tool|>"
