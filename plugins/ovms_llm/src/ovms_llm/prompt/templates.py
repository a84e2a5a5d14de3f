"""Chat templates: from messages to the text that a model was trained on."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from jinja2 import TemplateError, TemplateSyntaxError

from ovms_core.engine import RequestError
from ovms_llm.messages import Chat

os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # it would miss PyTorch, which nothing here needs
from transformers.utils.chat_template_utils import render_jinja_template

_RESERVED: Final = frozenset(
    {
        "messages",
        "conversations",
        "add_generation_prompt",
        "continue_final_message",
        "chat_template",
        "return_assistant_tokens_mask",
    }
)
# What a template does wrong when it is given messages it was not made for.
RENDER_ERRORS: Final = (
    TemplateError,
    RuntimeError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
_LOOPS_OVER_PARTS = re.compile(r"for\s+\w+\s+in\s+\w+(?:\.content|\[['\"]content['\"]\])")
_TAKES_STRINGS = re.compile(r"is\s+(?:not\s+)?string")

_PROBE: Final = ({"role": "user", "content": "asked-0"}, {"role": "assistant", "content": "answered-1"})
_ANSWER: Final = "answered-1"

Fallback = Callable[[list[dict[str, Any]], bool, str, list[Any] | None, dict[str, Any]], str]


def render(template: str, messages: list[dict[str, Any]], variables: Mapping[str, Any]) -> str:
    """`messages` as `template` writes them. Raises `TemplateSyntaxError` for no Jinja, else `RENDER_ERRORS`."""
    (text,), _ = render_jinja_template([messages], chat_template=template, **variables)
    return str(text)


class ChatTemplate:
    """A model's chat templates, rendered by transformers in its sandbox: they are code of strangers.

    `fallback` is the tokenizer's own implementation, ``(messages, add_generation_prompt, template,
    tools, variables)``, used for templates that Jinja cannot compile.
    """

    def __init__(self, templates: Mapping[str, str], variables: Mapping[str, str], fallback: Fallback) -> None:
        self._templates = {name: template for name, template in templates.items() if template}
        self._variables = dict(variables)
        self._fallback = fallback

    @property
    def templates(self) -> Mapping[str, str]:
        """The templates by name."""
        return self._templates

    def render(self, chat: Chat) -> str:
        """The prompt. Raises `RequestError` with the template's own words when it refuses the messages."""
        reserved = next(iter(_RESERVED.intersection(chat.template_kwargs)), None)
        if reserved is not None:
            raise RequestError(
                f"{reserved} is set by the server: leave it out", param=f"chat_template_kwargs.{reserved}"
            )
        template = self._choose(chat)
        takes_parts = bool(_LOOPS_OVER_PARTS.search(template)) and not _TAKES_STRINGS.search(template)
        messages = [_flattened(message, at, takes_parts) for at, message in enumerate(chat.messages)]
        try:
            return self._apply(template, messages, chat)
        except RENDER_ERRORS as error:
            raise RequestError(f"the model's chat template refuses the messages: {error}", param="messages") from error

    def turn_endings(self) -> Iterator[list[str]]:
        """What each template writes behind an assistant's answer: at the end, and where the conversation goes on."""
        for name in self._templates:
            probes = (list(_PROBE), [*_PROBE, *_PROBE])
            with suppress(RequestError):
                chats = [Chat(probe, add_generation_prompt=False, template=name) for probe in probes]
                yield [self.render(chat).partition(_ANSWER)[2] for chat in chats]

    def _choose(self, chat: Chat) -> str:
        if not self._templates:
            raise RequestError(
                "the model has no chat template: use /completions with a prompt, or have the operator set "
                "options.chat_template",
                param="messages",
            )
        if chat.template is not None:
            return self._named(chat.template)
        preferred = "tool_use" if chat.tools or chat.template_kwargs.get("tools") else "default"
        first = next(iter(self._templates.values()))
        return self._templates.get(preferred) or self._templates.get("default") or first

    def _named(self, name: str) -> str:
        if name not in self._templates:
            raise RequestError(
                f"the model has no chat template of this name: it has {', '.join(self._templates)}. The text of one "
                "can only be set by the operator, as options.chat_template",
                param="chat_template",
            )
        return self._templates[name]

    def _apply(self, template: str, messages: list[dict[str, Any]], chat: Chat) -> str:
        variables = self._variables | chat.template_kwargs | ({"tools": chat.tools} if chat.tools else {})
        generation = {
            "add_generation_prompt": chat.add_generation_prompt,
            "continue_final_message": chat.continue_final_message,
        }
        try:
            return render(template, messages, variables | generation)
        except TemplateSyntaxError:
            return self._fall_back(template, messages, chat, variables)

    def _fall_back(self, template: str, messages: list[dict[str, Any]], chat: Chat, variables: dict[str, Any]) -> str:
        if chat.continue_final_message:
            raise ValueError("it cannot continue the final message")
        tools = variables.pop("tools", None)
        return self._fallback(messages, chat.add_generation_prompt, template, tools, variables)


def _flattened(message: dict[str, Any], at: int, takes_parts: bool) -> dict[str, Any]:
    """`message` with its content as the template wants it: one string, or a list of text parts."""
    content = message.get("content")
    if isinstance(content, list):
        texts = [_text(part, f"messages[{at}].content[{number}]") for number, part in enumerate(content)]
    elif isinstance(content, str) and takes_parts:
        texts = [content]
    else:
        return message
    parts = [{"type": "text", "text": text} for text in texts]
    return message | {"content": parts if takes_parts else "".join(texts)}


def _text(part: Any, param: str) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return str(part["text"])
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    raise RequestError(f"a part of type {kind} cannot be read by this model, which takes text only", param=param)
