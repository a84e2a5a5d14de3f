"""IBM's Granite 3 (https://huggingface.co/ibm-granite/granite-3.3-8b-instruct)."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Any, ClassVar, Final

from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.json_format import JsonFormat
from ovms_llm.speech.parsing.markers import earliest, held_back
from ovms_llm.speech.parsing.parser import Piece, SpeechParser

_TAGS: Final = ("<response>", "</response>")


class Granite(JsonFormat):
    """A list of JSON calls behind ``<|tool_call|>``, up to the answer's end.

    Where it has thought, Granite 3.3 writes its answer in ``<response>``: the tags are left out.
    """

    name = "granite"
    opening = "<|tool_call|>"
    closing = ""
    other_openings: ClassVar[dict[str, str]] = {"<tool_call>": ""}
    markers = ("<|tool_call|>", "<tool_call>")
    listed = True
    separator = ", "
    marks_answers = True

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By its roles and its mark of calls."""
        own = "<|start_of_role|>" in template and "<|tool_call|>" in template
        return "its chat template writes <|start_of_role|> and <|tool_call|>" if own else None

    def parser(self, functions: Sequence[Function], *, guided: bool) -> SpeechParser:
        """Lists of calls, and text with no tags around it."""
        return WithoutTags(super().parser(functions, guided=guided), _TAGS)

    def template_variables(self, effort: str) -> dict[str, Any]:
        """The template knows whether to think, not how much."""
        return {"thinking": effort != "none"}


class WithoutTags(SpeechParser):
    """Leaves `tags` out of what another parser reads."""

    def __init__(self, inner: SpeechParser, tags: Sequence[str]) -> None:
        self._inner = inner
        self._tags = tags
        self._held = ""

    def feed(self, text: str) -> Iterator[Piece]:
        """What `text` adds."""
        self._held += text
        while found := earliest(self._held, self._tags):
            at, tag = found
            before, self._held = self._held[:at], self._held[at + len(tag) :]
            yield from self._inner.feed(before)
        ready = len(self._held) - held_back(self._held, self._tags)
        before, self._held = self._held[:ready], self._held[ready:]
        yield from self._inner.feed(before)

    def finish(self) -> Iterator[Piece]:
        """What was held back when the answer ended."""
        yield from self._inner.feed(self._held)
        yield from self._inner.finish()
