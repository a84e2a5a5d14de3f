"""IBM's Granite 4 (https://huggingface.co/ibm-granite/granite-4.0-h-tiny)."""

from __future__ import annotations

from collections.abc import Container

from ovms_llm.speech.formats.hermes import Hermes


class Granite4(Hermes):
    """Writes calls as Hermes does."""

    name = "granite4"

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By its roles and its tags of calls."""
        own = "<|start_of_role|>" in template and "</tool_call>" in template
        return "its chat template writes <|start_of_role|> and JSON calls in <tool_call>" if own else None
