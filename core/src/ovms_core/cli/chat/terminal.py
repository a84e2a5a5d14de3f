"""A conversation at the terminal, or through a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import closing, suppress

import typer

from ovms_core.cli.chat.conversation import Conversation, Thought
from ovms_core.cli.client import ServerError

_HELP = "/reset forgets the conversation, /quit or Ctrl-D ends it, Ctrl-C stops an answer."
_PROMPT = "> "
# A model's text must not steer the terminal: of the control characters, line break and tab stay.
_HARMLESS = {code: None for code in (*range(32), 127, *range(128, 160)) if chr(code) not in "\n\t"}


def talk(conversation: Conversation, *, interactive: bool) -> int:
    """Turn after turn until the input ends or says ``/quit``; returns the exit status.

    Not `interactive`: no prompt, and the first error ends it.
    """
    if interactive:
        with suppress(ImportError):
            import readline  # noqa: F401 - gives input() its line editing
        typer.echo(f"{conversation.model} at {conversation.client.url}. {_HELP}")
    while (line := _read(interactive)) is not None:
        if line == "/quit":
            break
        if line == "/reset":
            conversation.reset()
        elif line == "/help":
            typer.echo(_HELP)
        elif line and not _answer(conversation, line, with_thoughts=interactive) and not interactive:
            return 1
    return 0


def _read(interactive: bool) -> str | None:
    """The next line, `None` at the end of the input."""
    while True:
        try:
            return input(_PROMPT if interactive else "").strip()
        except EOFError:
            return None
        except KeyboardInterrupt:
            typer.echo("\nCtrl-D ends the conversation.")


def _answer(conversation: Conversation, text: str, *, with_thoughts: bool) -> bool:
    """Print the answer as it comes; whether it came to its end, or was stopped by the user."""
    try:
        with closing(conversation.ask(text)) as pieces:
            _print(pieces, with_thoughts=with_thoughts)
    except KeyboardInterrupt:
        typer.echo(" (stopped)")
        return True
    except ServerError as error:
        typer.secho(f"ovms: {error}", err=True, fg="red")
        return False
    typer.echo()
    return True


def _print(pieces: Iterable[str], *, with_thoughts: bool) -> None:
    """Print `pieces`, thoughts dimmed and in a paragraph of their own, or not at all."""
    thinking = False
    for piece in pieces:
        is_thought = isinstance(piece, Thought)
        if is_thought and not with_thoughts:
            continue
        if thinking and not is_thought:
            typer.echo("\n")
        thinking = is_thought
        typer.secho(piece.translate(_HARMLESS), nl=False, dim=is_thought or None)
        sys.stdout.flush()
