"""The chunks of a streamed answer, as SSE frames.

This runs once a token and stream, so all that is constant in a chunk is encoded once a call, and a
frame is three byte strings put together. Chat and text completions differ in a `ChunkShape` only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from ovms_core.plugin import sse
from ovms_llm.fields.sampling import UsageInStream
from ovms_llm.http.answers import Head, TimingsReport, Usage
from ovms_llm.http.usage import UsageCounter
from ovms_llm.messages import Delta, TokenLogprob, ToolCallDelta

_encode: Final = msgspec.json.Encoder().encode
_END: Final = b"}\n\n"


@dataclass(frozen=True, slots=True)
class ChunkShape:
    """How a dialect writes a choice: as JSON members around the text, before ``logprobs``.

    `opening` is the member of a choice's first chunk, if it has one of its own, and `closing` that of
    its last. `logprobs` takes tokens and the offset of the first in the text, in characters.

    `thought` has what stands before a piece of a thought, for each of the names that it is told by: none where the
    client shall not see it. `call` writes the members for what a tool call gained, a chunk each.
    `finish_reasons` has the dialect's own words.
    """

    opening: bytes | None
    before: bytes
    after: bytes
    closing: bytes
    logprobs: Callable[[Sequence[TokenLogprob], int], Struct]
    thought: tuple[bytes, ...] = ()
    call: Callable[[ToolCallDelta], Iterable[bytes]] = lambda delta: ()
    finish_reasons: Mapping[str, str] = field(default_factory=dict)


class Chunks:
    """Turns the events of one call into frames."""

    def __init__(self, shape: ChunkShape, head: Head, count: int, usage: UsageInStream) -> None:
        self._start = b"data: " + _encode(head)[:-1] + b',"choices":['
        self._usage = usage
        with_usage = usage is not UsageInStream.NOWHERE
        self._choices = [_ChoiceChunks(shape, self._start, index, with_usage=with_usage) for index in range(count)]
        self._counter = UsageCounter()
        self._opened = False

    @property
    def counter(self) -> UsageCounter:
        """What the events so far add up to."""
        return self._counter

    def frame(self, event: Any) -> bytes:
        """The frames of an event; none where it shows a client nothing new."""
        self._counter.add(event)
        if not self._opened:
            return self._opening() + self._frame(event)
        return self._frame(event)

    def _opening(self) -> bytes:
        """The frames that come before all others."""
        self._opened = True
        if self._usage is UsageInStream.EVERYWHERE:
            for choice in self._choices:
                choice.tell(self._counter.prompt_tokens, 0)
        return b"".join(choice.opening() for choice in self._choices)

    def _frame(self, event: Any) -> bytes:
        if not isinstance(event, Delta):
            return self._call(event) if isinstance(event, ToolCallDelta) else b""
        choice = self._choices[event.index]
        if self._usage is UsageInStream.EVERYWHERE:
            choice.tell(self._counter.prompt_tokens, len(event.tokens))
        if event.logprobs is not None or event.finish_reason is not None:
            return choice.rare(event)
        if not event.text:
            return b""
        if event.channel == "content":
            return choice.before + _encode(event.text) + choice.after
        return choice.thought(event.text)

    def _call(self, event: ToolCallDelta) -> bytes:
        choice = self._choices[event.index]
        if self._usage is UsageInStream.EVERYWHERE:
            choice.tell(self._counter.prompt_tokens, len(event.tokens))
        return choice.call(event)

    def end(self, timings: TimingsReport | UnsetType = UNSET) -> bytes:
        """The frames that come after all others."""
        opening = b"" if self._opened else self._opening()
        unfinished = b"".join(choice.finish("stop", None) for choice in self._choices if not choice.finished)
        return opening + unfinished + self._summary(timings) + sse.DONE

    def _summary(self, timings: TimingsReport | UnsetType) -> bytes:
        usage = b"" if self._usage is UsageInStream.NOWHERE else b',"usage":' + _encode(self._counter.usage())
        times = b"" if timings is UNSET else b',"timings":' + _encode(timings)
        return self._start + b"]" + usage + times + _END if usage or times else b""


class _ChoiceChunks:
    """The constant bytes of one choice, and what of it has been sent."""

    __slots__ = ("_offset", "_shape", "_start", "_tail", "_tokens", "after", "before", "finished")

    def __init__(self, shape: ChunkShape, start: bytes, index: int, *, with_usage: bool) -> None:
        self._shape = shape
        self._start = start + b'{"index":%d,' % index
        self._offset = 0
        self._tokens = 0
        self.before = self._start + shape.before
        self.finished = False
        self._end_with(b',"usage":null' if with_usage else b"")

    def _end_with(self, usage: bytes) -> None:
        self._tail = b"]" + usage + _END
        self.after = self._shape.after + b',"logprobs":null,"finish_reason":null}' + self._tail

    def tell(self, prompt_tokens: int, gained: int) -> None:
        """From now on chunks tell what the choice has used, now that it has `gained` so many tokens more."""
        self._tokens += gained
        usage = Usage(prompt_tokens, self._tokens, prompt_tokens + self._tokens)
        self._end_with(b',"usage":' + _encode(usage))

    def opening(self) -> bytes:
        if self._shape.opening is None:
            return b""
        return self._start + self._shape.opening + b',"logprobs":null,"finish_reason":null}' + self._tail

    def thought(self, text: str) -> bytes:
        """A piece of a thought."""
        if not self._shape.thought:
            return b""
        piece = _encode(text)
        return self._start + b"".join(before + piece for before in self._shape.thought) + self.after

    def call(self, delta: ToolCallDelta) -> bytes:
        """What a tool call gained."""
        end = b',"logprobs":null,"finish_reason":null}' + self._tail
        return b"".join(self._start + member + end for member in self._shape.call(delta))

    def rare(self, delta: Delta) -> bytes:
        """A delta with probabilities, or the last one: it gets a frame of its own for the end."""
        content = self._said(delta)
        if delta.finish_reason is None:
            return content
        return content + self.finish(delta.finish_reason, delta.stop_reason)

    def _said(self, delta: Delta) -> bytes:
        if delta.channel == "reasoning":
            return self.thought(delta.text) if delta.text else b""
        return self._content(delta) if delta.text or delta.logprobs else b""

    def _content(self, delta: Delta) -> bytes:
        if not delta.logprobs:
            return self.before + _encode(delta.text) + self.after
        logprobs = _encode(self._shape.logprobs(delta.logprobs, self._offset))
        self._offset += sum(characters(token) for token in delta.logprobs)
        end = self._shape.after + b',"logprobs":' + logprobs + b',"finish_reason":null}' + self._tail
        return self.before + _encode(delta.text) + end

    def finish(self, reason: str, stop_reason: str | int | None) -> bytes:
        self.finished = True
        reason = self._shape.finish_reasons.get(reason, reason)
        extension = b"" if stop_reason is None else b',"stop_reason":' + _encode(stop_reason)
        end = b',"logprobs":null,"finish_reason":' + _encode(reason) + extension + b"}" + self._tail
        return self._start + self._shape.closing + end


def characters(token: TokenLogprob) -> int:
    """How many characters begin in a token; one that is split over tokens counts for the first."""
    return sum(byte & 0xC0 != 0x80 for byte in token.bytes)
