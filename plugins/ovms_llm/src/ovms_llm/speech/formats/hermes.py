"""Hermes 2 and 3, Qwen 2.5 and 3, and the many models that write calls as they do."""

from __future__ import annotations

from collections.abc import Container
from typing import ClassVar

from ovms_llm.speech.json_format import JsonFormat


class Hermes(JsonFormat):
    """A call is JSON on a line between ``<tool_call>`` and ``</tool_call>``.

    https://huggingface.co/NousResearch/Hermes-3-Llama-3.1-8B#prompt-format-for-function-calling
    """

    name = "hermes"
    markers: ClassVar[tuple[str, ...]] = ("<tool_call>", "</tool_call>")
    opening = "<tool_call>"
    closing = "</tool_call>"
    padding = "\n"
    separator = "\n"

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By the marker, with JSON in it."""
        if "<tool_call>" in template and "</tool_call>" in template and "<arg_key>" not in template:
            return "its chat template writes JSON calls in <tool_call>"
        return None
