"""What this plugin offers to the server."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from ovms_core.plugin import hookimpl

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ovms_core.plugin import Application, Endpoint, Settings, Task


@hookimpl
def ovms_settings() -> type[BaseModel]:
    """Where responses are stored, and how many."""
    from ovms_llm.settings import LlmSettings

    return LlmSettings


@hookimpl
def ovms_register_tasks() -> Iterable[Task]:
    """Text generation."""
    from ovms_llm.task import TASK

    return [TASK]


@hookimpl
def ovms_register_endpoints(settings: Settings) -> Iterable[Endpoint[Any]]:
    """Chat and text completions, responses, and the tokenizer."""
    from ovms_llm.http.chat import ChatCompletions
    from ovms_llm.http.completions import Completions
    from ovms_llm.http.tokenization import DetokenizeTokens, TokenizeTexts
    from ovms_llm.responses import endpoints as responses

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
