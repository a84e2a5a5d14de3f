"""The last look at a guided answer: what is told as finished fits what was asked for."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Final

from ovms_core.plugin import APIError, off_loop
from ovms_llm.grammar.guides import Output
from ovms_llm.grammar.validation import Validator
from ovms_llm.messages import Delta

Check = Callable[[str], str | None]
"""Says what is wrong with a text, if something is."""

_LARGE: Final = 16 << 10
"""Characters from which on a text is checked beside the event loop."""


def check_of(output: Output) -> Check | None:
    """The check of finished texts; `None` where the engine's grammar says all.

    An expression is not tried again: how long that takes, nobody can tell.
    """
    match output.kind:
        case "json_schema":
            return Validator(output.value).check
        case "json_object":
            return _json_object
        case "choice":
            return lambda text: None if text in output.value else "it is none of the choices"
    return None


async def validated(
    events: AsyncGenerator[Any, None], check: Check, *, echo: bool = False
) -> AsyncGenerator[Any, None]:
    """`events`, in which the last delta of a choice only passes if its whole content has passed `check`.

    An answer that was cut at its limit, or that calls tools, is not looked at; nor is the `echo` of a prompt, which
    comes before the answer. Raises `APIError` 500 for one that is wrong.
    """
    texts: dict[int, list[str]] = {}
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Delta) and event.channel == "content":
                await _look_at(event, texts, check, echo)
            yield event


async def _look_at(delta: Delta, texts: dict[int, list[str]], check: Check, echo: bool) -> None:
    if echo and delta.index not in texts:
        texts[delta.index] = []
        return
    pieces = texts.setdefault(delta.index, [])
    pieces.append(delta.text)
    if delta.finish_reason != "stop":
        return
    text = "".join(pieces)
    wrong = await off_loop(check, text) if len(text) > _LARGE else check(text)
    if wrong is not None:
        message = f"The model's answer is not what was asked for: {wrong}. Send the request again."
        raise APIError(500, message, code="invalid_output")


def _json_object(text: str) -> str | None:
    try:
        is_object = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError) as error:
        return f"it is no JSON: {error}"
    return None if is_object else "it is no JSON object"
