"""IBM's Granite 3.2 (https://huggingface.co/ibm-granite/granite-3.2-8b-instruct)."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from ovms_llm.messages import Thinking
from ovms_llm.speech.formats.granite import Granite

_OPENING: Final = "Here is my thought process:"


class Granite32(Granite):
    """As the rest of Granite 3, but its thoughts stand between two sentences."""

    name = "granite32"
    thinking = Thinking(_OPENING, "Here is my response:")

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By the sentence with which its thoughts begin."""
        own = "<|start_of_role|>" in template and _OPENING in template
        return f"its chat template asks for thoughts behind '{_OPENING}'" if own else None
