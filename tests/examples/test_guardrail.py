"""The guardrail around endpoints that know nothing of it: the tutorial's own, and those of text generation."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from importlib import import_module
from typing import Any

import pytest
import pytest_asyncio
from tests.docs.pages import SNIPPETS
from tests.plugins.ovms_llm.responses.conftest import WEATHER, Api, served

from ovms_core.testing import read_frames
from ovms_llm.messages import Delta, TokenLogprob

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
MESSAGES = [{"role": "user", "content": "Which flower?"}]
TOOLS = [{"type": "function", "function": {name: WEATHER[name] for name in ("name", "description", "parameters")}}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api() -> AsyncIterator[Api]:
    """A server that is guarded against tulips."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SNIPPETS / "shout")
        beside = [import_module(name) for name in ("ovms_guardrail.hooks", "shout")]
        async with served(beside=beside, sections={"guardrail": {"words": ["tulip"]}}) as api:
            yield api
    del sys.modules["shout"]


async def answer(api: Api, path: str, said: Sequence[str] = (), *, stream: bool, **body: Any) -> str:
    """The whole answer, where the engine says this, a token each; asserts that no document in it tells the word."""
    api.engine.script = lambda request: _script(request, said)
    answered = await api.http.post(path, json={**body, "stream": stream})
    assert answered.status_code == 200, answered.text
    texts = [answered.text, *_joined(_documents(answered.text) if stream else [answered.json()])]
    assert not any("tulip" in text.lower() for text in texts), answered.text
    assert any("[redacted]" in text for text in texts), answered.text
    return answered.text


def _script(request: Any, said: Sequence[str]) -> list[Any]:
    """Each text comes an event after its token, as where a stop string could begin with it."""
    deltas, held = [], ""
    for at, text in enumerate([*said, ""]):
        tokens = [TokenLogprob(text, -0.5, list(text.encode()))] if request.sampling.logprobs else None
        deltas.append(Delta(0, held, [at], tokens))
        held = text
    deltas[-1].finish_reason = "stop"
    return deltas


def _documents(text: str) -> list[Any]:
    return [frame.document() for frame in read_frames(text) if frame.data != "[DONE]"]


def _joined(documents: list[Any]) -> list[str]:
    """What the strings of an answer say together, by where they stand in it."""
    said: dict[str, str] = {}
    for path, string in _strings(documents, ""):
        said[path] = said.get(path, "") + string
    return list(said.values())


def _strings(value: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(value, str):
        return [(path, value)]
    items = (
        value.items() if isinstance(value, dict) else [("", item) for item in value] if isinstance(value, list) else ()
    )
    return [found for key, item in items for found in _strings(item, f"{path}.{key}")]


@BOTH
async def test_the_tutorials_shout_is_redacted(api: Api, stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    shout = import_module("shout")
    monkeypatch.setattr(shout.Shout, "texts", lambda self, call: iter(()))  # else the request is refused
    said = await answer(api, "/shout", stream=stream, text="a tulip here")
    assert "HERE" in said


@BOTH
async def test_content_thought_and_their_tokens_are_redacted(api: Api, stream: bool) -> None:
    said = ["<think>", "tu", "lip?", "</think>", "A ", "tul", "ip", " it is"]
    await answer(api, "/chat/completions", said, stream=stream, messages=MESSAGES, logprobs=True)


@BOTH
async def test_the_arguments_of_a_tool_call_are_redacted(api: Api, stream: bool) -> None:
    said = ['<tool_call>\n{"name": "weather", "arguments": {"city": "tu', 'lip"', "}}\n</tool_call>"]
    told = await answer(api, "/chat/completions", said, stream=stream, messages=MESSAGES, tools=TOOLS)
    assert "tool_calls" in told


@BOTH
async def test_a_completion_and_its_tokens_are_redacted(api: Api, stream: bool) -> None:
    said = ["A ", "tul", "ip", " it is"]
    await answer(api, "/completions", said, stream=stream, prompt="Which flower?", logprobs=1)


@BOTH
async def test_a_response_with_its_tokens_is_redacted(api: Api, stream: bool) -> None:
    said = ["<think>", "tulip", "</think>", "A ", "tul", "ip", " it is"]
    include = ["message.output_text.logprobs"]
    told = await answer(api, "/responses", said, stream=stream, input="Which flower?", include=include)
    assert "logprob" in told
