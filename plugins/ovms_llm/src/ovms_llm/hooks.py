"""What this plugin offers to the server."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from ovms_core.plugin import hookimpl

if TYPE_CHECKING:
    from ovms_core.plugin import Application, Endpoint, Settings, Task


@hookimpl
def ovms_register_tasks() -> Iterable[Task]:
    """Text generation."""
    from ovms_llm.task import TASK

    return [TASK]


@hookimpl
def ovms_register_endpoints(settings: Settings) -> Iterable[Endpoint[Any]]:
    """Chat and text completions, responses, and the tokenizer."""
    from ovms_core.plugin import plugin_options
    from ovms_llm.http.chat import ChatCompletions
    from ovms_llm.http.completions import Completions
    from ovms_llm.http.tokenization import DetokenizeTokens, TokenizeTexts
    from ovms_llm.responses import endpoints as responses
    from ovms_llm.responses.options import LlmOptions

    plugin_options("llm", LlmOptions, settings)  # a wrong one stops the start
    return [
        ChatCompletions(),
        Completions(),
        responses.CreateResponse(),
        responses.ShowResponse(),
        responses.DeleteResponse(),
        responses.CancelResponse(),
        responses.ListInputItems(),
        TokenizeTexts(),
        DetokenizeTokens(),
    ]


@hookimpl
def ovms_lifespan(app: Application) -> AbstractAsyncContextManager[None]:
    """The stored responses, and those that are made in the background."""
    from ovms_llm.responses.service import serving_responses

    return serving_responses(app)
