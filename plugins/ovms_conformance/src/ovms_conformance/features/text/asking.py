"""How the checks ask a chat model, and what they read in its answers."""

from __future__ import annotations

from typing import Any, Final

from ovms_conformance.feature import Target
from ovms_core.command import Stream

PATH: Final = "/chat/completions"
QUESTION: Final = "Tell me a short story about a lighthouse."


def question(target: Target, content: Any = QUESTION, **fields: Any) -> dict[str, Any]:
    """A request with one user message: greedy and short unless `fields` say otherwise."""
    message = {"role": "user", "content": content}
    return {"model": target.chat_model, "messages": [message], "max_tokens": 16, "temperature": 0, **fields}


def ask(target: Target, content: Any = QUESTION, **fields: Any) -> Any:
    """The answer in one piece. Raises `RefusedError`."""
    return target.server.post(PATH, question(target, content, **fields))


def ask_streaming(target: Target, content: Any = QUESTION, **fields: Any) -> Stream:
    """The answer as a stream, received to its end. Raises `RefusedError`."""
    return target.server.stream(PATH, question(target, content, **fields))


def said(document: Any, index: int = 0) -> str:
    """The text of an answer in one piece, reasoning included."""
    return _text(document["choices"][index]["message"])


def said_in(stream: Stream) -> str:
    """The text of a stream."""
    return "".join(_text(choice["delta"]) for choice in choices(stream))


def choices(stream: Stream) -> list[Any]:
    """The choices of all chunks."""
    return [choice for chunk in stream.documents() for choice in chunk["choices"]]


def _text(message: Any) -> str:
    return (message.get("reasoning_content") or "") + (message.get("content") or "")
