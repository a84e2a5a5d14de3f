"""The real application around the real endpoints; only the engine behind the model is scripted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from ovms_core.app import Application
from ovms_core.hookspecs import hookimpl
from ovms_core.messages import EngineInfo
from ovms_core.model_files import ModelFiles
from ovms_core.models.model import Model
from ovms_core.plugin import Endpoint, Settings, Task, TaskOptions
from ovms_core.runner import RunnerLoad
from ovms_core.settings import ModelSettings
from ovms_core.testing import app_with
from ovms_llm import hooks
from ovms_llm.messages import (
    AnyEvent,
    AnyRequest,
    Channel,
    Delta,
    Detokenize,
    Detokenized,
    FinishReason,
    Generate,
    Started,
    Timings,
    Tokenize,
    Tokenized,
    TokenLogprob,
)
from ovms_llm.speech.profile import SpeechProfile

Script = Callable[[Any], Iterable[Any]]


def hello(request: Any) -> Iterable[Any]:
    """An engine that says "Hello wörld" in every sequence, interleaved, and tokenises by character."""
    if isinstance(request, Tokenize):
        text = getattr(request.prompt, "text", "chat")
        texts = list(text) if request.with_texts else None
        yield Tokenized([ord(character) for character in text], 2048, texts)
    elif isinstance(request, Detokenize):
        yield Detokenized("".join(map(chr, request.ids)))
    else:
        yield from _generated(request)


def _generated(request: Generate) -> Iterable[Any]:
    yield Started(5, 3, "PROMPT " if request.echo else None)
    for token, text in enumerate(("Hello", " w", "", "örld")):
        logprobs = [TokenLogprob(text, -0.5 * token, list(text.encode()))] if request.sampling.logprobs else None
        for index in range(request.sampling.n):
            yield Delta(index, text, [token], logprobs)
    for index in range(request.sampling.n):
        yield Delta(index, "!", [4], _logprobs(request, "!"), "stop", "END")
    if request.timings:
        yield Timings(1.0, 2.0, 3.0, 4.0, 50.0)


def _spoken(request: Generate, texts: Sequence[str], channel: Channel, finish_reason: FinishReason) -> Iterable[Any]:
    yield Started(5, 3, channel=channel)
    for token, text in enumerate(texts):
        for index in range(request.sampling.n):
            yield Delta(index, text, [token], _logprobs(request, text))
    for index in range(request.sampling.n):
        yield Delta(index, "", [len(texts)], None, finish_reason)


def _logprobs(request: Generate, text: str) -> list[TokenLogprob] | None:
    return [TokenLogprob(text, -2.0, list(text.encode()))] if request.sampling.logprobs else None


class ScriptedRunner:
    """Plays a script a request, and remembers what it was asked and what of it was closed."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.info: EngineInfo | None = EngineInfo(slots=8, device="CPU", max_model_len=2048)
        self.ready, self.failed = True, False
        self.problem: str | None = None
        self.requests: list[Any] = []
        self.open = 0
        self.gate: asyncio.Event | None = None

    async def submit(self, request: Any) -> AsyncGenerator[Any, None]:
        self.requests.append(request)
        self.open += 1
        try:
            for event in self.script(request):
                if isinstance(event, Exception):
                    raise event
                yield event
                await asyncio.sleep(0)
            if self.gate is not None:
                await self.gate.wait()
        finally:
            self.open -= 1

    def load(self) -> RunnerLoad:
        return RunnerLoad(0, self.open, 0)

    async def settled(self) -> None:
        return None

    async def stop(self) -> None:
        return None


def _detect(files: ModelFiles) -> int:
    return 0


TASK = Task("text_generation", "none:None", TaskOptions, AnyRequest, AnyEvent, _detect)


@hookimpl
def _tasks() -> list[Task]:
    return [TASK]


@hookimpl
def _endpoints(settings: Settings) -> list[Endpoint[Any]]:
    return list(hooks.ovms_register_endpoints(settings))


PLUGIN = SimpleNamespace(
    __name__="llm",
    ovms_settings=hooks.ovms_settings,
    ovms_register_tasks=_tasks,
    ovms_register_endpoints=_endpoints,
)


class Server:
    """A client of the application, and the engine behind it."""

    def __init__(self, app: Application, runner: ScriptedRunner, client: httpx.AsyncClient) -> None:
        self.app = app
        self.runner = runner
        self._client = client

    @property
    def model(self) -> Model:
        (model,) = self.app.server.models
        assert isinstance(model, Model)
        return model

    @property
    def asked(self) -> Any:
        """The one request that the engine got."""
        (request,) = self.runner.requests
        return request

    def speaks(self, format: str, **profile: Any) -> None:
        """Let the engine tell that its model speaks so."""
        assert self.runner.info is not None
        speech = msgspec.to_builtins(SpeechProfile(format, "the test says so", **profile))
        details = self.runner.info.details | {"speech": speech}
        self.runner.info = msgspec.structs.replace(self.runner.info, details=details)

    def says(self, *texts: str, channel: Channel = "content", finish_reason: FinishReason = "stop") -> None:
        """Let the engine say `texts`, a token each, in every sequence."""
        self.runner.script = lambda request: _spoken(request, texts, channel, finish_reason)

    @property
    def openai(self) -> AsyncOpenAI:
        """The official client of the same server."""
        client: Any = self._client  # the official client has a name of its own for this class
        return AsyncOpenAI(base_url="http://test/v3", api_key="none", http_client=client, max_retries=0)

    async def post(self, path: str, body: Mapping[str, Any] | bytes) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self._client.post(path, content=content, headers={"content-type": "application/json"})

    async def chat(self, **fields: Any) -> httpx.Response:
        return await self.post("/v3/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]} | fields)

    async def complete(self, **fields: Any) -> httpx.Response:
        return await self.post("/v3/completions", {"prompt": "Hi"} | fields)


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error of a refused request."""
    assert response.status_code == 400, response.text
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def frames_of(response: httpx.Response) -> list[str]:
    """The data of a stream's frames."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    frames = response.text.split("\n\n")
    assert frames.pop() == ""
    return [frame.removeprefix("data: ") for frame in frames]


def chunks_of(response: httpx.Response) -> list[dict[str, Any]]:
    """The chunks of a stream that ended as it should."""
    *chunks, last = frames_of(response)
    assert last == "[DONE]"
    return [json.loads(chunk) for chunk in chunks]


def joined(chunks: Sequence[dict[str, Any]], index: int = 0) -> str:
    """The text of a choice, from its chunks."""
    choices = [choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == index]
    return "".join(choice["delta"].get("content", "") if "delta" in choice else choice["text"] for choice in choices)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    runner = ScriptedRunner(hello)
    app = app_with(PLUGIN, models=[ModelSettings(name="smol", source=".", task="text_generation", aliases=["gpt"])])
    model: Model = next(iter(app.server.models))
    model.task = TASK
    model.attach(runner)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Server(app, runner, client)


@pytest.fixture
def user() -> dict[str, Any]:
    return {"role": "user", "content": "Hi"}
