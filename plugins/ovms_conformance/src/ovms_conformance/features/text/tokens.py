"""Tokenising, as vLLM has it."""

from __future__ import annotations

from typing import Any, Final

from ovms_conformance.feature import Group, Target, expect
from ovms_core.command import RefusedError

tokens = Group("Tokenising", needs="chat_model")

_TEXT: Final = "The quick brown fox, naïve as ever."


@tokens.feature
def tokenize(target: Target) -> None:
    """`POST /tokenize` gives the token ids of a text."""
    expect(all(isinstance(token, int) for token in _tokens(target)), "the tokens are not ids")


@tokens.feature
def detokenize(target: Target) -> None:
    """`POST /detokenize` gives the text of token ids, which is that they were made of."""
    document = _post(target, "/detokenize", {"tokens": _tokens(target)})
    text = document.get("prompt") or document.get("text") or ""
    expect(_TEXT in text, f"the text is {text[:60]!r}")


@tokens.feature
def tokenize_messages(target: Target) -> None:
    """`POST /tokenize` takes `messages`, with the chat template applied."""
    chat = _post(target, "/tokenize", {"messages": [{"role": "user", "content": _TEXT}]})["tokens"]
    expect(len(chat) > len(_tokens(target)), "the template is not applied")


def _tokens(target: Target) -> list[int]:
    tokens: list[int] = _post(target, "/tokenize", {"prompt": _TEXT})["tokens"]
    return tokens


def _post(target: Target, path: str, body: dict[str, Any]) -> Any:
    """The answer under the prefix or, where the server has none there, without it."""
    named = {"model": target.chat_model, **body}
    try:
        return target.server.post(path, named)
    except RefusedError as error:
        if not str(error).startswith("404"):
            raise
        return target.server.root.post(path, named)
