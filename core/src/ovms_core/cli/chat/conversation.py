"""A conversation with a server's model."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from ovms_core.cli.client import Client, ServerError

_TASK = "text_generation"


class Thought(str):
    """A piece of what the model thinks aloud before it answers."""

    __slots__ = ()


class Conversation:
    """The turns so far. `model` answers; `system` stands before all."""

    def __init__(self, client: Client, model: str, system: str | None = None) -> None:
        self.client = client
        self.model = model
        self._system = [{"role": "system", "content": system}] if system else []
        self._turns: list[dict[str, str]] = []

    def reset(self) -> None:
        """Forget all turns."""
        self._turns.clear()

    def ask(self, text: str) -> Generator[str, None, None]:
        """The answer's pieces as they come, those of a thought as `Thought`, which is not remembered.

        An answer that is broken off (the generator closed, or an exception in it) is remembered as far as
        it came; a question without any answer is forgotten. Raises `ServerError`.
        """
        question = {"role": "user", "content": text}
        pieces: list[str] = []
        body = {"model": self.model, "messages": [*self._system, *self._turns, question], "stream": True}
        try:
            with closing(self.client.stream("/chat/completions", body)) as events:
                for event in events:
                    if piece := _text(event):
                        if not isinstance(piece, Thought):
                            pieces.append(piece)
                        yield piece
        finally:
            if pieces:
                self._turns += [question, {"role": "assistant", "content": "".join(pieces)}]


def _text(event: object) -> str:
    match event:
        case {"choices": [{"delta": {"content": str(text)}}, *_]}:
            return text
        case {"choices": [{"delta": {"reasoning_content": str(text)} | {"reasoning": str(text)}}, *_]}:
            return Thought(text)
        case _:
            return ""


def chatting_model(client: Client) -> str:
    """The first model that chats, ready ones before others. Raises `ServerError` when there is none."""
    listed = client.get("/models")
    models = listed.get("data", []) if isinstance(listed, dict) else []
    able = [model for model in models if model.get("task", _TASK) == _TASK]
    able.sort(key=lambda model: model.get("state", "ready") != "ready")
    if not able:
        raise ServerError(f"No model at {client.url} chats: serve one, for instance with 'ovms serve --starter'.")
    return str(able[0]["id"])
