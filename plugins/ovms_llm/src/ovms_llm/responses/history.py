"""From the items of a conversation to the messages that chat templates know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from ovms_core.plugin import APIError
from ovms_llm.fields.conversation import FunctionCall, Message, ToolCall
from ovms_llm.responses.items import text_of

_ASSISTANTS: Final = frozenset({"reasoning", "function_call"})


def messages_of(items: Sequence[dict[str, Any]]) -> list[Message]:
    """The messages that `items` make: what the assistant thinks, says and calls in one go is one message."""
    messages: list[Message] = []
    turn: list[dict[str, Any]] = []
    for item in items:
        if _is_assistants(item):
            if turn and _begins_a_turn(item, turn):
                messages.append(_assistant(turn))
                turn = []
            turn.append(item)
            continue
        if turn:
            messages.append(_assistant(turn))
            turn = []
        messages.append(_other(item))
    if turn:
        messages.append(_assistant(turn))
    return messages


def _is_assistants(item: dict[str, Any]) -> bool:
    return item["type"] in _ASSISTANTS or item.get("role") == "assistant"


def _begins_a_turn(item: dict[str, Any], turn: Sequence[dict[str, Any]]) -> bool:
    """A second text, or a text or a thought behind calls, belongs to another message."""
    kinds = {each["type"] for each in turn}
    return (item["type"] == "message" and bool(kinds & {"message", "function_call"})) or (
        item["type"] == "reasoning" and bool(kinds - {"reasoning"})
    )


def _assistant(items: Sequence[dict[str, Any]]) -> Message:
    thoughts = [text_of(item["content"]) or text_of(item["summary"]) for item in items if item["type"] == "reasoning"]
    texts = [text_of(item["content"]) for item in items if item["type"] == "message"]
    calls = [_call(item) for item in items if item["type"] == "function_call"]
    thought = "\n".join(filter(None, thoughts))
    return Message(
        role="assistant",
        content="\n".join(texts) if texts or not (calls or thought) else None,
        reasoning_content=thought or None,
        tool_calls=calls or None,
    )


def _call(item: dict[str, Any]) -> ToolCall:
    return ToolCall(id=item["call_id"], function=FunctionCall(name=item["name"], arguments=item["arguments"]))


def _other(item: dict[str, Any]) -> Message:
    if item["type"] == "function_call_output":
        return Message(role="tool", tool_call_id=item["call_id"], content=text_of(item["output"]))
    return Message(role=item["role"], content=text_of(item["content"]))


def check_calls(items: Sequence[dict[str, Any]], own: int) -> None:
    """Raise `APIError` 400 for an output without a call before it; the last `own` items are those of the request."""
    called = set[str]()
    for at, item in enumerate(items, own - len(items)):
        if item["type"] == "function_call":
            called.add(item["call_id"])
        elif item["type"] == "function_call_output" and item["call_id"] not in called and at >= 0:
            message = f"No function call has the call_id '{item['call_id']}': send the call before its output."
            raise APIError(400, message, param=f"input[{at}].call_id", code="invalid_value")


def turns(messages: Sequence[Message]) -> Iterator[int]:
    """Where the user's turns begin, the first excepted: before each of these the conversation can be cut."""
    begun = False
    for at, message in enumerate(messages):
        if message.role == "user":
            if begun:
                yield at
            begun = True
