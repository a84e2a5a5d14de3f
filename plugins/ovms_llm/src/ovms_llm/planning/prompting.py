"""Conversations as the model's template takes them: with its tools, and with how much it shall think."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from ovms_llm.fields.reasoning import ReasoningWish
from ovms_llm.messages import Chat
from ovms_llm.planning.voice import Voice
from ovms_llm.speech.formats.generic import as_text
from ovms_llm.speech.tools import Function, ToolUse

Message = dict[str, Any]


def addressed(chat: Chat, voice: Voice, tools: ToolUse | None, wish: ReasoningWish) -> Chat:
    """`chat`, so that the model with this `voice` knows its tools and how much to think."""
    if wish.effort is not None and voice.profile.knows_effort:
        chat = replace(chat, template_kwargs=voice.format.template_variables(wish.effort) | chat.template_kwargs)
    if voice.profile.knows_tools:
        return replace(chat, tools=[function.for_template() for function in tools.functions]) if tools else chat
    if tools or any(map(_is_of_tools, chat.messages)):
        chat = replace(chat, messages=_in_words(chat.messages))
    return replace(chat, messages=_instructed(chat.messages, voice, tools.functions)) if tools else chat


def _is_of_tools(message: Message) -> bool:
    return message["role"] == "tool" or "tool_calls" in message


def _in_words(messages: Iterable[Message]) -> list[Message]:
    """`messages` for a template that knows no tools: neighbouring results are one message, since roles alternate."""
    written: list[Message] = []
    follows_result = False
    for message in messages:
        is_result, text = message["role"] == "tool", as_text(message)
        if is_result and follows_result:
            text = {**text, "content": f"{written.pop()['content']}\n{text['content']}"}
        written.append(text)
        follows_result = is_result
    return written


def _instructed(messages: Sequence[Message], voice: Voice, functions: Sequence[Function]) -> list[Message]:
    """`messages` with what the format says about `functions` in the system's message."""
    instructions = voice.format.instructions(functions)
    if messages and messages[0]["role"] == "system":
        first, *rest = messages
        said = "\n\n".join(filter(None, (first["content"], instructions)))
        return [{**first, "content": said}, *rest]
    return [{"role": "system", "content": instructions}, *messages]
