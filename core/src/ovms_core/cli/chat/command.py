"""``ovms chat``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ovms_core.cli.options import DEFAULT_URL, ApiKey, Url


def chat(
    url: Url = DEFAULT_URL,
    model: Annotated[str | None, typer.Option(help="The model; by default the first one for chat.")] = None,
    api_key: ApiKey = None,
    system: Annotated[str | None, typer.Option(help="The system message.")] = None,
) -> None:
    """Chat with a running server. Piped input works too: every line is a turn."""
    from ovms_core.cli.chat.conversation import Conversation, chatting_model
    from ovms_core.cli.chat.terminal import talk
    from ovms_core.cli.client import Client

    client = Client(url, api_key)
    conversation = Conversation(client, model or chatting_model(client), system)
    raise typer.Exit(talk(conversation, interactive=sys.stdin.isatty()))
