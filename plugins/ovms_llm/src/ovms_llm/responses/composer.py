"""Makes a response of the events of its generation, and tells what changes, in the order that clients expect."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any, Final, Literal

from ovms_core.plugin import APIError
from ovms_llm.http.usage import UsageCounter
from ovms_llm.messages import Delta, FinishReason, ToolCallDelta
from ovms_llm.responses import stream_events as told
from ovms_llm.responses.documents import (
    IncompleteDetails,
    InputTokensDetails,
    OutputTokensDetails,
    Response,
    ResponseError,
    ResponseUsage,
)
from ovms_llm.responses.items_in_progress import CallInProgress, ItemInProgress, MessageInProgress, ThoughtInProgress

_CODES: Final[dict[int, Literal["rate_limit_exceeded", "invalid_prompt"]]] = {
    400: "invalid_prompt",
    429: "rate_limit_exceeded",
}


def new_id(prefix: str) -> str:
    """An id as OpenAI's: ``resp_…``, ``msg_…``."""
    return f"{prefix}_{uuid.uuid4().hex}"


class Composer:
    """Puts one response together. Each method gives the stream events for what it changes; exhaust them."""

    def __init__(self, response: Response, *, with_reasoning: bool = True) -> None:
        self.response = response
        self._with_reasoning = with_reasoning
        self._counter = UsageCounter()
        self._current: ItemInProgress | None = None
        self._finish: FinishReason = "stop"
        self._said = 0
        self._opened = False

    def queue(self) -> Iterator[told.StreamEvent]:
        """The response waits for its turn."""
        self.response.status = "queued"
        self._opened = True
        yield self._number(told.Created(response=self.response))
        yield self._number(told.Queued(response=self.response))

    def begin(self) -> Iterator[told.StreamEvent]:
        """The model is at work."""
        self.response.status = "in_progress"
        if not self._opened:
            self._opened = True
            yield self._number(told.Created(response=self.response))
        yield self._number(told.InProgress(response=self.response))

    def add(self, event: Any) -> Iterator[told.StreamEvent]:
        """What an event of the generation adds."""
        self._counter.add(event)
        if isinstance(event, Delta):
            if event.text or (event.logprobs and isinstance(self._current, MessageInProgress)):
                yield from self._text(event)
            if event.finish_reason is not None:
                self._finish = event.finish_reason
        elif isinstance(event, ToolCallDelta):
            yield from self._call(event)

    def _text(self, delta: Delta) -> Iterator[told.StreamEvent]:
        if delta.channel == "reasoning":
            if not self._with_reasoning:
                return
            if not isinstance(self._current, ThoughtInProgress):
                yield from self._open(ThoughtInProgress(new_id("rs"), self._place))
        elif not isinstance(self._current, MessageInProgress):
            yield from self._open(MessageInProgress(new_id("msg"), self._place))
        assert self._current is not None
        yield from map(self._number, self._current.add(delta))

    def _call(self, delta: ToolCallDelta) -> Iterator[told.StreamEvent]:
        if not isinstance(self._current, CallInProgress) or self._current.number != delta.call:
            call = CallInProgress(new_id("fc"), self._place, delta.call, delta.id or new_id("call"), delta.name or "")
            yield from self._open(call)
        assert self._current is not None
        if delta.arguments:
            yield from map(self._number, self._current.add(delta))

    @property
    def _place(self) -> int:
        """Where the next item goes."""
        return len(self.response.output) + (self._current is not None)

    def _open(self, item: ItemInProgress) -> Iterator[told.StreamEvent]:
        yield from self._close("completed")
        self._current = item
        yield from map(self._number, item.begin())

    def _close(self, status: Literal["completed", "incomplete"]) -> Iterator[told.StreamEvent]:
        if self._current is not None:
            yield from map(self._number, self._current.end(status))
            self.response.output.append(self._current.item)
            self._current = None

    def finish(self) -> Iterator[told.StreamEvent]:
        """The generation has ended: the response is whole, or it is incomplete."""
        whole = self._finish != "length"
        if self._current is None and not self.response.output:  # clients look for a message, and may find it empty
            yield from self._open(MessageInProgress(new_id("msg"), self._place))
        yield from self._close("completed" if whole else "incomplete")
        self._end("completed" if whole else "incomplete")
        if whole:
            yield self._number(told.Completed(response=self.response))
        else:
            self.response.incomplete_details = IncompleteDetails()
            yield self._number(told.Incomplete(response=self.response))

    def fail(self, error: APIError) -> Iterator[told.StreamEvent]:
        """The generation came to nothing."""
        if not self._opened:
            yield from self.begin()
        yield from self._close("incomplete")
        self._end("failed")
        self.response.error = ResponseError(_CODES.get(error.status, "server_error"), error.message)
        yield self._number(told.Failed(response=self.response))

    def cancel(self) -> None:
        """Nobody wants the rest; what is there is kept."""
        for _ in self._close("incomplete"):
            pass
        self._end("cancelled")

    def _end(self, status: Literal["completed", "incomplete", "failed", "cancelled"]) -> None:
        self.response.status = status
        if status == "completed":
            self.response.completed_at = int(time.time())
        self.response.usage = self._usage()

    def _usage(self) -> ResponseUsage:
        counter = self._counter
        return ResponseUsage(
            input_tokens=counter.prompt_tokens,
            input_tokens_details=InputTokensDetails(counter.cached_tokens or 0),
            output_tokens=counter.completion_tokens,
            output_tokens_details=OutputTokensDetails(counter.reasoning_tokens),
            total_tokens=counter.prompt_tokens + counter.completion_tokens,
        )

    def _number(self, event: told.StreamEvent) -> told.StreamEvent:
        event.sequence_number = self._said
        self._said += 1
        return event
