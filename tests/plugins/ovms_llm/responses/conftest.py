"""The real application and OpenAI's own client, which checks every answer; only the engine is scripted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, cast

import httpx
import msgspec
import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from tests.plugins.ovms_llm.http.conftest import PLUGIN, TASK, ScriptedRunner, hello

from ovms_core.app import Application
from ovms_core.models.model import Model
from ovms_core.plugin import ModelSettings
from ovms_core.testing import app_with
from ovms_llm import hooks
from ovms_llm.messages import Delta, Started, Thinking
from ovms_llm.speech.profile import SpeechProfile

SPEECH = SpeechProfile(
    "hermes", "the tests say so", knows_tools=True, knows_effort=True, thinking=Thinking("<think>", "</think>")
)
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "The weather.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


class Engine(ScriptedRunner):
    """Plays its script; one that waits has given its first event and waits for `gate`."""

    waits = False

    async def submit(self, request: Any) -> AsyncGenerator[Any, None]:
        events = super().submit(request)
        try:
            yield await anext(events)
            if self.waits and self.gate is not None:
                await self.gate.wait()
            async for event in events:
                yield event
        finally:
            await events.aclose()


class Api:
    """The application, the engine behind it, and clients."""

    def __init__(self, app: Application, engine: Engine) -> None:
        self.app = app
        self.engine = engine
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test/v3")
        self.client = self.client_of("none")
        self.responses = self.client.responses

    def client_of(self, key: str) -> AsyncOpenAI:
        """OpenAI's client with an API key; it takes no answer that is not exactly as its types say."""
        http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app))
        return AsyncOpenAI(
            base_url="http://test/v3",
            api_key=key,
            http_client=cast(Any, http),
            max_retries=0,
            _strict_response_validation=True,
        )

    def says(self, *events: Any) -> None:
        """Let the engine say this from now on."""
        self.engine.script = lambda request: [Started(7, 2), *events]

    def hold(self) -> asyncio.Event:
        """Let the engine wait after its first event, for what is returned."""
        self.engine.waits, self.engine.gate = True, asyncio.Event()
        return self.engine.gate


def words(*texts: str, finish: Any = None) -> list[Delta]:
    """An answer's texts, a token each; the last ends it."""
    deltas = [Delta(0, text, [at]) for at, text in enumerate(texts)]
    deltas[-1].finish_reason = finish
    return deltas


def call(name: str, arguments: str) -> list[Delta]:
    """A tool call as the model writes it, its arguments in two pieces."""
    middle = len(arguments) // 2
    opening = f'<tool_call>\n{{"name": "{name}", "arguments": {arguments[:middle]}'
    return words(opening, arguments[middle:], "}\n</tool_call>")


@asynccontextmanager
async def served(
    options: dict[str, Any] | None = None,
    *,
    beside: Sequence[object] = (),
    sections: Mapping[str, Any] = MappingProxyType({}),
    **settings: Any,
) -> AsyncIterator[Api]:
    """A server with these options of responses, with plugins `beside`, their `sections` and further settings."""
    app = app_with(
        PLUGIN,
        *beside,
        models=[ModelSettings(name="smol", source=".", task="text_generation")],
        plugins={"llm": {"responses": options or {}}, **sections},
        **settings,
    )
    engine = Engine(hello)
    assert engine.info is not None
    engine.info = msgspec.structs.replace(engine.info, details={"speech": msgspec.to_builtins(SPEECH)})
    model: Model = next(iter(app.server.models))
    model.task = TASK
    model.attach(engine)
    async with hooks.ovms_lifespan(app):
        yield Api(app, engine)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_api() -> AsyncIterator[Api]:
    """A server for all tests of a file: to make an application takes a while."""
    async with served() as api:
        yield api


@pytest.fixture
def api(shared_api: Api) -> Api:
    """The shared server, with an engine that says hello and has been asked nothing."""
    engine = shared_api.engine
    engine.script, engine.waits, engine.gate = hello, False, None
    engine.requests.clear()
    return shared_api


def replayed(events: Iterable[Any]) -> list[dict[str, Any]]:
    """The output that a stream's events add up to, each checked against those before it."""
    output: list[dict[str, Any]] = []
    for number, event in enumerate(events):
        assert event.sequence_number == number
        match event.type:
            case "response.output_item.added":
                assert event.output_index == len(output)
                assert event.item.status == "in_progress"
                output.append(event.item.to_dict())
            case "response.content_part.added":
                content = output[event.output_index]["content"]
                assert event.content_index == len(content)
                content.append(event.part.to_dict())
            case "response.output_text.delta" | "response.reasoning_text.delta":
                output[event.output_index]["content"][event.content_index]["text"] += event.delta
            case "response.output_text.done" | "response.reasoning_text.done":
                assert output[event.output_index]["content"][event.content_index]["text"] == event.text
            case "response.function_call_arguments.delta":
                output[event.output_index]["arguments"] += event.delta
            case "response.function_call_arguments.done":
                assert output[event.output_index]["arguments"] == event.arguments
            case "response.output_item.done":
                item = event.item.to_dict()
                assert {**output[event.output_index], "status": item["status"]} == item
                output[event.output_index] = item
    return output
