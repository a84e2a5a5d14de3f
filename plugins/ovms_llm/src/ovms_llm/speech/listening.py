"""From what the engine says to what the model means: thoughts, text for the reader, tool calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from uuid import uuid4

from msgspec.structs import replace

from ovms_llm.messages import Channel, Delta, Thinking, ToolCallDelta
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.parsing.parser import Arguments, CallStarted, Malformed, Piece, Words
from ovms_llm.speech.parsing.thoughts import Thoughts

MALFORMED = "malformed_tool_call"
"""The ``stop_reason`` of an answer in which a call was written wrongly."""


class Listener:
    """Listens to one choice of an answer.

    `functions` are those that the model may call: none where it may call none, and its text then stays as it is.
    `guided` says that a grammar makes its calls well-formed; `channel` what the prompt has the answer begin with. Calls
    after the first are dropped unless `many` may be made.
    """

    def __init__(
        self,
        format: SpeechFormat,
        thinking: Thinking | None,
        functions: Sequence[Function] = (),
        *,
        guided: bool = False,
        channel: Channel = "content",
        many: bool = True,
    ) -> None:
        self._thoughts = Thoughts(thinking, channel)
        listens = functions or format.marks_answers
        self._parser = format.parser(functions, guided=guided) if listens else None
        self._many = many
        self._calls = 0
        self._malformed = False

    def hear(self, delta: Delta) -> list[Delta | ToolCallDelta]:
        """What `delta` means. Its tokens go to one of the events, or, where there is none, to an empty `Delta`."""
        if delta.finish_reason is None and self._thoughts.passes(delta.text):
            if self._thoughts.channel == "reasoning":
                return [replace(delta, channel="reasoning")]
            if self._parser is None or self._parser.passes(delta.text):
                return [delta]
        before = self._thoughts.channel
        pieces = list(self._pieces(delta))
        events = [event for piece in _joined(pieces) for event in self._events(delta.index, piece)]
        thinking = "reasoning" in (before, self._thoughts.channel)
        _attach(events, delta, "reasoning" if thinking else "content")
        if delta.finish_reason is not None:
            self._close(events, delta)
        return events

    def _pieces(self, delta: Delta) -> Iterator[Piece]:
        ends = delta.finish_reason is not None
        for words in self._thoughts.feed(delta.text):
            yield from self._read(words)
        if ends:
            for words in self._thoughts.finish():
                yield from self._read(words)
            if self._parser is not None:
                yield from self._parser.finish()

    def _read(self, words: Words) -> Iterable[Piece]:
        if self._parser is None or words.channel == "reasoning":
            return (words,)
        return self._parser.feed(words.text)

    def _events(self, index: int, piece: Piece) -> Iterator[Delta | ToolCallDelta]:
        match piece:
            case Words(text, channel):
                yield Delta(index, text, [], channel=channel)
            case Malformed(text):
                self._malformed = True
                yield Delta(index, text, [])
            case CallStarted(name, id):
                self._calls += 1
                if self._wanted:
                    yield ToolCallDelta(index, self._calls - 1, id or f"call_{uuid4().hex[:24]}", name)
            case Arguments(text) if self._wanted:
                yield ToolCallDelta(index, self._calls - 1, arguments=text)

    @property
    def _wanted(self) -> bool:
        return self._many or self._calls == 1

    def _close(self, events: list[Delta | ToolCallDelta], delta: Delta) -> None:
        last = events.pop() if events and isinstance(events[-1], Delta) else Delta(delta.index, "", [])
        assert isinstance(last, Delta)
        finish_reason, stop_reason = delta.finish_reason, delta.stop_reason
        if finish_reason == "stop":
            finish_reason = "tool_calls" if self._calls else "stop"
            stop_reason = MALFORMED if self._malformed else stop_reason
        events.append(replace(last, finish_reason=finish_reason, stop_reason=stop_reason))


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """`pieces`, neighbours of one kind as one."""
    joined: list[Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        match last, piece:
            case Words(before, one), Words(text, other) if one == other:
                joined[-1] = Words(before + text, one)
            case Arguments(before), Arguments(text):
                joined[-1] = Arguments(before + text)
            case _:
                joined.append(piece)
    return joined


def _attach(events: list[Delta | ToolCallDelta], delta: Delta, channel: Channel) -> None:
    """Give the tokens of `delta` to one of `events`: a text if there is one, since it can carry probabilities too."""
    if not delta.tokens and not delta.logprobs:
        return
    for at, event in enumerate(events):
        if isinstance(event, Delta):
            events[at] = replace(event, tokens=delta.tokens, logprobs=delta.logprobs)
            return
    if events and isinstance(events[0], ToolCallDelta) and delta.logprobs is None:
        events[0] = replace(events[0], tokens=delta.tokens)
    else:
        events.insert(0, Delta(delta.index, "", delta.tokens, delta.logprobs, channel=channel))
