"""Output items while they are made: what begins them, what adds to them, and what ends them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from ovms_llm.messages import Delta, TokenLogprob, ToolCallDelta
from ovms_llm.responses import stream_events as told
from ovms_llm.responses.documents import (
    FunctionCallItem,
    ItemStatus,
    Logprob,
    MessageItem,
    OutputItem,
    OutputText,
    ReasoningItem,
    ReasoningText,
)


class ItemInProgress(ABC):
    """An item that grows; it stands at `index` of the output."""

    item: OutputItem

    def __init__(self, index: int) -> None:
        self._index = index
        self._pieces: list[str] = []

    @abstractmethod
    def begin(self) -> Iterator[told.StreamEvent]:
        """What tells that the item is there."""

    @abstractmethod
    def add(self, delta: Delta | ToolCallDelta) -> Iterator[told.StreamEvent]:
        """What tells that the item grew."""

    @abstractmethod
    def end(self, status: ItemStatus) -> Iterator[told.StreamEvent]:
        """What tells that the item is whole, or as whole as it will be."""

    @property
    def _text(self) -> str:
        return "".join(self._pieces)


class MessageInProgress(ItemInProgress):
    """What the assistant says."""

    def __init__(self, id: str, index: int) -> None:
        super().__init__(index)
        self.item: MessageItem = MessageItem(id)
        self._logprobs: list[Logprob] = []

    def begin(self) -> Iterator[told.StreamEvent]:
        yield told.ItemAdded(output_index=self._index, item=self.item)
        yield told.PartAdded(item_id=self.item.id, output_index=self._index, part=OutputText())

    def add(self, delta: Delta | ToolCallDelta) -> Iterator[told.StreamEvent]:
        assert isinstance(delta, Delta)
        self._pieces.append(delta.text)
        logprobs = _logprobs(delta.logprobs) if delta.logprobs else []
        self._logprobs += logprobs
        yield told.TextDelta(item_id=self.item.id, output_index=self._index, delta=delta.text, logprobs=logprobs)

    def end(self, status: ItemStatus) -> Iterator[told.StreamEvent]:
        part = OutputText(self._text, logprobs=self._logprobs)
        id, index = self.item.id, self._index
        yield told.TextDone(item_id=id, output_index=index, text=part.text, logprobs=part.logprobs)
        yield told.PartDone(item_id=id, output_index=index, part=part)
        self.item.content, self.item.status = [part], status
        yield told.ItemDone(output_index=self._index, item=self.item)


class ThoughtInProgress(ItemInProgress):
    """What the model thinks."""

    def __init__(self, id: str, index: int) -> None:
        super().__init__(index)
        self.item: ReasoningItem = ReasoningItem(id)

    def begin(self) -> Iterator[told.StreamEvent]:
        yield told.ItemAdded(output_index=self._index, item=self.item)
        yield told.PartAdded(item_id=self.item.id, output_index=self._index, part=ReasoningText())

    def add(self, delta: Delta | ToolCallDelta) -> Iterator[told.StreamEvent]:
        assert isinstance(delta, Delta)
        self._pieces.append(delta.text)
        yield told.ReasoningDelta(item_id=self.item.id, output_index=self._index, delta=delta.text)

    def end(self, status: ItemStatus) -> Iterator[told.StreamEvent]:
        part = ReasoningText(self._text)
        yield told.ReasoningDone(item_id=self.item.id, output_index=self._index, text=part.text)
        yield told.PartDone(item_id=self.item.id, output_index=self._index, part=part)
        self.item.content, self.item.status = [part], status
        yield told.ItemDone(output_index=self._index, item=self.item)


class CallInProgress(ItemInProgress):
    """A function that the model calls: the answer's call number `number`."""

    def __init__(self, id: str, index: int, number: int, call_id: str, name: str) -> None:
        super().__init__(index)
        self.number = number
        self.item: FunctionCallItem = FunctionCallItem(id, call_id, name)

    def begin(self) -> Iterator[told.StreamEvent]:
        yield told.ItemAdded(output_index=self._index, item=self.item)

    def add(self, delta: Delta | ToolCallDelta) -> Iterator[told.StreamEvent]:
        assert isinstance(delta, ToolCallDelta)
        self._pieces.append(delta.arguments)
        yield told.ArgumentsDelta(item_id=self.item.id, output_index=self._index, delta=delta.arguments)

    def end(self, status: ItemStatus) -> Iterator[told.StreamEvent]:
        item = self.item
        item.arguments = self._text
        yield told.ArgumentsDone(item_id=item.id, output_index=self._index, name=item.name, arguments=item.arguments)
        item.status = status
        yield told.ItemDone(output_index=self._index, item=item)


def _logprobs(tokens: Sequence[TokenLogprob]) -> list[Logprob]:
    return [Logprob(each.token, each.bytes, each.logprob) for each in tokens]
