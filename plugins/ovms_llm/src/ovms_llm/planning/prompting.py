"""Conversations as the model's template takes them: with its tools, and with how much it shall think."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile
from typing import Any

from msgspec.structs import replace

from ovms_llm.fields.reasoning import ReasoningWish
from ovms_llm.messages import Chat
from ovms_llm.planning.voice import Voice
from ovms_llm.speech.formats.generic import as_text
from ovms_llm.speech.functions.tools import Function, ToolUse

Message = dict[str, Any]


def addressed(chat: Chat, voice: Voice, tools: ToolUse | None, wish: ReasoningWish) -> Chat:
    """`chat`, so that the model with this `voice` knows its tools and how much to think."""
    if wish.effort is not None and voice.profile.knows_effort:
        chat = replace(chat, template_kwargs=voice.format.template_variables(wish.effort) | chat.template_kwargs)
    if voice.profile.knows_tools:
        messages = [_with_ids(message, voice.format.call_id) for message in chat.messages]
        chat = replace(chat, messages=list(_one_by_one(messages)) if voice.format.one_call_a_message else messages)
        return replace(chat, tools=[function.for_template() for function in tools.functions]) if tools else chat
    if tools or any(map(_is_of_tools, chat.messages)):
        chat = replace(chat, messages=_in_words(chat.messages))
    return replace(chat, messages=_instructed(chat.messages, voice, tools.functions)) if tools else chat


def _is_of_tools(message: Message) -> bool:
    return message["role"] == "tool" or "tool_calls" in message


def _with_ids(message: Message, call_id: Callable[[str], str]) -> Message:
    """`message` with the ids of calls as the family's template takes them."""
    if "tool_call_id" in message:
        return message | {"tool_call_id": call_id(message["tool_call_id"])}
    if "tool_calls" in message:
        calls = [call | {"id": call_id(call["id"])} if "id" in call else call for call in message["tool_calls"]]
        return message | {"tool_calls": calls}
    return message


def _one_by_one(messages: Sequence[Message]) -> Iterator[Message]:
    """`messages`, where each call is a message of its own, followed by its result."""
    at = 0
    while at < len(messages):
        message, at = messages[at], at + 1
        if len(calls := message.get("tool_calls", ())) < 2:
            yield message
            continue
        results = list(takewhile(lambda each: each["role"] == "tool", messages[at:]))
        at += len(results)
        for number, call in enumerate(calls):
            yield message | {"tool_calls": [call]} | ({"content": ""} if number else {})
            mine = [each for each in results if each.get("tool_call_id") == call.get("id")]
            yield from mine
            results = [each for each in results if each not in mine]
        yield from results


def _in_words(messages: Iterable[Message]) -> list[Message]:
    """`messages` for a template that knows no tools: a result and what the user says next are one message.

    Roles have to alternate in many templates.
    """
    written: list[Message] = []
    follows_result = False
    for message in messages:
        is_result, text = message["role"] == "tool", as_text(message)
        if follows_result and text["role"] == "user":
            text = {**text, "content": f"{written.pop()['content']}\n{text['content']}"}
        written.append(text)
        follows_result = is_result
    return written


def _instructed(messages: Sequence[Message], voice: Voice, functions: Sequence[Function]) -> list[Message]:
    """`messages` with what the format says about `functions` in the system's message.

    Where the template takes none, the user's first message begins with it.
    """
    instructions = voice.format.instructions(functions)
    first = messages[0] if messages else {"role": ""}
    if first["role"] == "system":
        said = "\n\n".join(filter(None, (first["content"], instructions)))
        return [{**first, "content": said}, *messages[1:]]
    if first["role"] == "user" and not voice.profile.knows_system:
        return [{**first, "content": f"{instructions}\n\n{first['content']}"}, *messages[1:]]
    return [{"role": "system", "content": instructions}, *messages]
