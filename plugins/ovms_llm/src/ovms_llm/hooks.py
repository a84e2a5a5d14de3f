"""What this plugin offers to the server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ovms_core.plugin import hookimpl

if TYPE_CHECKING:
    from ovms_core.plugin import Endpoint, Settings, Task


@hookimpl
def ovms_register_tasks() -> Iterable[Task]:
    """Text generation."""
    from ovms_llm.task import TASK

    return [TASK]


@hookimpl
def ovms_register_endpoints(settings: Settings) -> Iterable[Endpoint[Any]]:
    """Chat and text completions, and the tokenizer."""
    from ovms_llm.http.chat import ChatCompletions
    from ovms_llm.http.completions import Completions
    from ovms_llm.http.tokenization import DetokenizeTokens, TokenizeTexts

    return [ChatCompletions(), Completions(), TokenizeTexts(), DetokenizeTokens()]
