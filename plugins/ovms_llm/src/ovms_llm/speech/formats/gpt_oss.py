"""gpt-oss, which speaks in OpenAI's Harmony (https://github.com/openai/harmony/blob/main/docs/format.md)."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Any, Final

from ovms_llm.grammar import formats
from ovms_llm.grammar.formats import Format
from ovms_llm.messages import Channel, Thinking
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.functions import grammars
from ovms_llm.speech.functions.grammars import Frame
from ovms_llm.speech.functions.literals import Broken
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.parsing.parser import CallStarted, SpeechParser
from ovms_llm.speech.parsing.script import Script, Steps

_CHANNEL, _START, _MESSAGE, _END = "<|channel|>", "<|start|>", "<|message|>", "<|end|>"
_ENDS: Final = (_END, "<|call|>", "<|return|>")
_RECIPIENT_OPENING: Final = "to=functions."
_HEADERS: Final = (
    f" <|constrain|>json{_MESSAGE}",
    f" json{_MESSAGE}",
    f"{_CHANNEL}commentary <|constrain|>json{_MESSAGE}",
    f"{_CHANNEL}commentary json{_MESSAGE}",
)
"""How a header may go on behind the function's name."""
_RECIPIENT: Final = re.compile(r"to=(?:functions\.)?([^\s<]+)")
_ANALYSIS: Final = re.compile(r"<\|channel\|>\s*analysis\b")
_EFFORTS: Final = {"none": "low", "minimal": "low", "xhigh": "high"}


class GptOss(SpeechFormat):
    """An answer is a row of messages, each with a header that names its channel and, for a call, the function.

    The prompt ends in ``<|start|>assistant``. A thought's `closing` ends there too, so that the answer behind a thought
    begins as one without. Thoughts behind a call are told by their channel.
    """

    name = "gpt_oss"
    markers = (_CHANNEL, _START, _MESSAGE, _END, "<|call|>", "<|return|>", "<|constrain|>")
    thinking = Thinking(f"{_CHANNEL}analysis{_MESSAGE}", f"{_END}{_START}assistant")
    marks_answers = True

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By its channels."""
        harmony = _CHANNEL in template and _MESSAGE in template
        return "its chat template writes messages in <|channel|>s" if harmony else None

    def parser(self, functions: Sequence[Function], *, guided: bool) -> SpeechParser:
        """Messages by their channels."""
        return Harmony(functions, guided=guided)

    def calls(self, functions: Sequence[Function], *, many: bool) -> Format:
        """One call: behind it the model hands over."""
        head = f"{_CHANNEL}commentary to=functions."
        frames = [Frame(f"{head}{each.name}{_HEADERS[0]}", grammars.arguments_ebnf(each), "") for each in functions]
        return grammars.calls(frames, many=False)

    def answer(self, functions: Sequence[Function], *, many: bool) -> Format:
        """Any messages, in which a recipient begins a call: it stands before or behind the channel."""
        frames = [
            Frame(f"{each.name}{header}", grammars.arguments_ebnf(each), "")
            for each in functions
            for header in _HEADERS
        ]
        call = formats.tag(_RECIPIENT_OPENING, grammars.calls(frames, many=False), "")
        return formats.triggered([_RECIPIENT_OPENING], [call], once=True)

    def document(self, output: Format) -> Format:
        """`output` as the final message."""
        return formats.sequence(formats.text(f"{_CHANNEL}final{_MESSAGE}"), output)

    def template_variables(self, effort: str) -> dict[str, Any]:
        """The template knows ``low``, ``medium`` and ``high``; the model cannot help thinking."""
        return {"reasoning_effort": _EFFORTS.get(effort, effort)}


class Harmony(Script):
    """Reads messages. Text with no header, as a grammar makes it, is for the reader."""

    def steps(self) -> Steps[None]:
        """Message by message."""
        while not (yield from self.over()):
            if (yield from self.option(*_ENDS)):
                continue
            if (yield from self.option(_START)):
                yield from self.option("assistant")
                yield from self.over()
            try:
                header = yield from self.header()
            except Broken:
                return
            yield from self.body(header)

    def header(self) -> Steps[str]:
        """A message's header, up to its text."""
        begun = yield from self.option(_CHANNEL, "to=", _MESSAGE)
        if begun is None or begun == _MESSAGE:
            return ""
        rest = yield from self.until(_MESSAGE, _START, *_ENDS)
        yield from self.option(_MESSAGE)
        return begun + rest

    def body(self, header: str) -> Steps[None]:
        """A message's text, up to its end."""
        recipient = _RECIPIENT.search(header)
        if recipient is not None:
            yield from self.whole(self.call(recipient[1]))
            return
        channel: Channel = "reasoning" if _ANALYSIS.match(header) else "content"
        if mark := (yield from self.words(*_ENDS, _START, _CHANNEL, channel=channel)):
            self.take(-len(mark))

    def call(self, name: str) -> Steps[None]:
        """The arguments, behind a header with the function's name."""
        yield CallStarted(name)
        yield from self.blanks()
        yield from self.json()
