"""The events of a stream (https://platform.openai.com/docs/api-reference/responses-streaming)."""

from __future__ import annotations

from msgspec import Struct

from ovms_core.plugin import sse
from ovms_llm.responses.documents import (
    FunctionCallItem,
    Logprob,
    MessageItem,
    OutputText,
    ReasoningItem,
    ReasoningText,
)
from ovms_llm.responses.documents import Response as ResponseDocument


class StreamEvent(Struct, kw_only=True, tag_field="type"):
    """An event; `sequence_number` counts those of a stream from 0."""

    sequence_number: int = -1

    def frame(self) -> bytes:
        """The event as an SSE frame."""
        return sse.event(str(self.__struct_config__.tag), self)


class OfResponse(StreamEvent, kw_only=True):
    """An event about the whole response."""

    response: ResponseDocument


class Created(OfResponse, tag="response.created"):
    """The response exists."""


class Queued(OfResponse, tag="response.queued"):
    """A background response waits for its turn."""


class InProgress(OfResponse, tag="response.in_progress"):
    """The model is at work."""


class Completed(OfResponse, tag="response.completed"):
    """The response is whole."""


class Incomplete(OfResponse, tag="response.incomplete"):
    """The response ended at a limit."""


class Failed(OfResponse, tag="response.failed"):
    """The response came to nothing; it says why."""


class OfItem(StreamEvent, kw_only=True):
    """An event about an output item as a whole."""

    output_index: int
    item: MessageItem | ReasoningItem | FunctionCallItem


class ItemAdded(OfItem, tag="response.output_item.added"):
    """An item begins."""


class ItemDone(OfItem, tag="response.output_item.done"):
    """An item is whole."""


class InItem(StreamEvent, kw_only=True):
    """An event about something in an output item."""

    item_id: str
    output_index: int


class InContent(InItem, kw_only=True):
    """An event about a part of an output item's content."""

    content_index: int = 0


class PartAdded(InContent, tag="response.content_part.added"):
    """A part of the content begins."""

    part: OutputText | ReasoningText


class PartDone(InContent, tag="response.content_part.done"):
    """A part of the content is whole."""

    part: OutputText | ReasoningText


class TextDelta(InContent, tag="response.output_text.delta"):
    """A piece of the text."""

    delta: str
    logprobs: list[Logprob] = []


class TextDone(InContent, tag="response.output_text.done"):
    """The text is whole."""

    text: str
    logprobs: list[Logprob] = []


class ReasoningDelta(InContent, tag="response.reasoning_text.delta"):
    """A piece of a thought."""

    delta: str


class ReasoningDone(InContent, tag="response.reasoning_text.done"):
    """A thought is whole."""

    text: str


class ArgumentsDelta(InItem, tag="response.function_call_arguments.delta"):
    """A piece of a call's arguments."""

    delta: str


class ArgumentsDone(InItem, tag="response.function_call_arguments.done"):
    """A call's arguments are whole."""

    name: str
    arguments: str
