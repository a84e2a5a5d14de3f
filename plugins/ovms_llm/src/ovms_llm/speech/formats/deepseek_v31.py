"""DeepSeek V3.1 (https://huggingface.co/deepseek-ai/DeepSeek-V3.1#toolcall)."""

from __future__ import annotations

from collections.abc import Container

from ovms_llm.speech.formats.deepseek import CALL, CALL_END, SEPARATOR, DeepSeek


class DeepSeekV31(DeepSeek):
    """As V3, but a call is just its name and its arguments."""

    name = "deepseek_v31"
    before, after = "", SEPARATOR
    end = CALL_END
    separator = ""

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By its marks of calls, and no fence."""
        own = CALL in template and "```json" not in template
        return "its chat template writes <｜tool▁call▁begin｜>" if own else None
