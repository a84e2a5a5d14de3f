"""``POST /messages`` and ``POST /messages/count_tokens``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from ovms_core.plugin import APIError, Call, Endpoint, sse
from ovms_llm.messages import Delta, Generate, Tokenize, Tokenized
from ovms_messages.bodies import ConversationBody, MessagesBody
from ovms_messages.reply import Reply


class Messages(Endpoint[MessagesBody]):
    """Continue a conversation, as Anthropic's Messages API does."""

    path = "/messages"
    body = MessagesBody
    task = "text_generation"
    streams = True

    def execute(self, call: Call[MessagesBody]) -> AsyncIterator[Any]:
        return call.require_model().submit(Generate(prompt=call.body.chat(), sampling=call.body.sampling()))

    def texts(self, call: Call[MessagesBody]) -> Iterator[str]:
        return call.body.texts()

    def to_json(self, call: Call[MessagesBody], events: Sequence[Any]) -> Any:
        reply = _reply(call)
        for event in events:
            reply.add(event)
        return reply.document()

    async def stream(self, call: Call[MessagesBody], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
        reply, opened = _reply(call), False
        async for event in events:
            reply.add(event)
            if not opened:
                yield _opening(reply)
                opened = True
            if isinstance(event, Delta) and event.text:
                yield _frame("content_block_delta", index=0, delta={"type": "text_delta", "text": event.text})
        yield (b"" if opened else _opening(reply)) + _closing(reply)

    def error(self, call: Call[MessagesBody], error: APIError) -> bytes:
        return _frame("error", error={"type": "api_error", "message": error.message})


class CountTokens(Endpoint[ConversationBody]):
    """How many tokens a conversation has before it is continued."""

    path = "/messages/count_tokens"
    body = ConversationBody
    task = "text_generation"

    def execute(self, call: Call[ConversationBody]) -> AsyncIterator[Tokenized]:
        return call.require_model().submit(Tokenize(prompt=call.body.chat()))

    def texts(self, call: Call[ConversationBody]) -> Iterator[str]:
        return call.body.texts()

    def to_json(self, call: Call[ConversationBody], events: Sequence[Tokenized]) -> Any:
        return {"input_tokens": len(events[0].ids)}


def _reply(call: Call[MessagesBody]) -> Reply:
    return Reply(call.body.model or call.require_model().name)


def _opening(reply: Reply) -> bytes:
    block = _frame("content_block_start", index=0, content_block={"type": "text", "text": ""})
    return _frame("message_start", message=reply.opening()) + block + _frame("ping")


def _closing(reply: Reply) -> bytes:
    ending = _frame("message_delta", delta=reply.ending(), usage={"output_tokens": reply.output_tokens})
    return _frame("content_block_stop", index=0) + ending + _frame("message_stop")


def _frame(name: str, **members: Any) -> bytes:
    return sse.event(name, {"type": name, **members})
