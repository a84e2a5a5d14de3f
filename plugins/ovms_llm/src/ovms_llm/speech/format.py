"""A speech format: how one family of models marks its tool calls, and what else is special about its answers.

A subclass in a file of its own, offered through the entry-point group ``ovms.speech_formats``, adds a family::

    class Parrot(SpeechFormat):
        name = "parrot"
        markers = ("<call>", "</call>")

        @classmethod
        def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
            return "its template writes <call>" if "<call>" in template else None
        ...
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Sequence
from typing import Any, ClassVar

from ovms_llm.grammar.formats import Format
from ovms_llm.messages import Thinking
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.parsing.parser import SpeechParser


class SpeechFormat(ABC):
    """How a family of models speaks. Stateless: one instance serves all requests."""

    name: ClassVar[str]
    markers: ClassVar[tuple[str, ...]] = ()
    """Special tokens that must stay in the text, since the parser looks for them."""
    thinking: ClassVar[Thinking | None] = None
    """How the family marks its thoughts, where that is its own; else it is read off the template and the vocabulary."""
    one_call_a_message: ClassVar[bool] = False
    """Whether the family's template takes one call in a message: several of the history then become a message each."""
    marks_answers: ClassVar[bool] = False
    """Whether plain answers carry marks too: then they go through the parser even where no function can be called."""

    @classmethod
    @abstractmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """Why a model with this chat template and these tokens speaks so, for the operator; `None` if it does not."""

    @abstractmethod
    def parser(self, functions: Sequence[Function], *, guided: bool) -> SpeechParser:
        """A parser of one answer, behind its thought.

        Where calls are `guided` they are well-formed, and their arguments can be given as they come; else a call is
        held back until it is whole.
        """

    @abstractmethod
    def calls(self, functions: Sequence[Function], *, many: bool) -> Format:
        """The format of one call, or `many`, of `functions`, and nothing else."""

    @abstractmethod
    def answer(self, functions: Sequence[Function], *, many: bool) -> Format:
        """The format of a free answer in which every call, once begun, fits one of `functions`."""

    def document(self, output: Format) -> Format:
        """The format of an answer that is nothing but `output`, such as a JSON document."""
        return output

    def instructions(self, functions: Sequence[Function]) -> str:
        """What a system message says about `functions`, for models whose chat template knows no tools."""
        raise NotImplementedError(f"{self.name} is spoken by models whose template knows tools")

    def call_id(self, id: str) -> str:
        """The id of a call in the history, as the chat template takes it."""
        return id

    def template_variables(self, effort: str) -> dict[str, Any]:
        """What the chat template is told about the wanted reasoning `effort`: ``none``, ``minimal`` … ``xhigh``.

        By default both names in use: a template reads the one that it knows.
        """
        return {"enable_thinking": effort != "none", "reasoning_effort": effort}
