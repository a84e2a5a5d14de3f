"""The guardrail and Anthropic's dialect over a real chat model, all in one server."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from anthropic import AsyncAnthropic
from tests.examples.conftest import EXAMPLES

from ovms_core.plugin import APIError, ModelSettings
from ovms_core.testing import FakeEngine, app_with, connected, read_frames, serving

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

QUESTION: Any = [{"role": "user", "content": "What is the capital of France? Answer in one short sentence."}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(smollm2_path: Path) -> AsyncIterator[str]:
    """A server with the chat model, guarded against one word of its answer."""
    model = ModelSettings(
        name="smollm2",
        source=str(smollm2_path),
        device="CPU",
        options={"cache_size": 0.25, "deterministic": True},
    )
    names = ("ovms_llm.hooks", "ovms_messages.hooks", "ovms_guardrail.hooks")
    words = {"guardrail": {"words": ["Paris", "zebra"]}}
    app = app_with(*map(import_module, names), models=[model], plugins=words)
    async with serving(app) as address:
        yield address


@pytest_asyncio.fixture(loop_scope="module")
async def client(url: str) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(base_url=url, api_key="none", max_retries=0) as connected:
        yield connected


async def chat(url: str, **fields: Any) -> httpx.Response:
    body = {"messages": QUESTION, "temperature": 0, "max_tokens": 16, **fields}
    async with httpx.AsyncClient(base_url=url, timeout=120) as http:
        return await http.post("/v1/chat/completions", json=body)


async def test_a_models_answer_is_redacted_in_both_modes(url: str) -> None:
    whole = (await chat(url)).json()["choices"][0]["message"]["content"]
    *frames, _ = read_frames((await chat(url, stream=True)).text)
    deltas = [json.loads(frame.data)["choices"][0]["delta"].get("content", "") for frame in frames]
    assert "[redacted]" in whole
    assert "Paris" not in whole
    assert "".join(deltas) == whole


@pytest.mark.parametrize("stream", [False, True])
async def test_a_forbidden_question_never_reaches_the_model(url: str, stream: bool) -> None:
    answer = await chat(url, messages=[{"role": "user", "content": "Draw a ZEBRA."}], stream=stream)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "policy_violation")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_server_that_is_full_lets_it_answer(url: str, stream: bool) -> None:
    full = FakeEngine("text_generation", [APIError(429, "It is full.", code="queue_full")], name="small")
    relay = {"url": f"{url}/v1", "models": {"small": "smollm2"}}
    plugins = map(import_module, ("ovms_llm.hooks", "ovms_relay.hooks"))
    fields = {"stream": stream, "stream_options": {"include_usage": True}} if stream else {}
    async with connected(app_with(*plugins, models=[full], plugins={"relay": relay})) as client:
        body = {"messages": QUESTION, "temperature": 0, "max_tokens": 16, **fields}
        relayed = await client.post("/v1/chat/completions", json=body)
    assert _told(relayed) == _told(await chat(url, **fields))


def _told(answer: httpx.Response) -> tuple[str, str, dict[str, Any]]:
    """The text of an answer, why it ended, and how many tokens it has."""
    if answer.headers["content-type"] == "application/json":
        (choice,) = answer.json()["choices"]
        return choice["message"]["content"], choice["finish_reason"], answer.json()["usage"]
    *chunks, last = (frame.document() for frame in read_frames(answer.text)[:-1])
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    return text, choices[-1]["finish_reason"], last["usage"]


async def test_anthropics_client_chats_with_it(client: AsyncAnthropic) -> None:
    asked: Any = {
        "model": "smollm2",
        "max_tokens": 16,
        "messages": QUESTION,
        "system": "You are helpful.",
        "extra_body": {"temperature": 0},
    }
    whole = await client.messages.create(**asked)
    async with client.messages.stream(**asked) as stream:
        pieces = [text async for text in stream.text_stream]
        streamed = await stream.get_final_message()
    (said,) = (block.text for block in whole.content if block.type == "text")
    assert "".join(pieces) == said
    assert len(pieces) > 1
    assert (streamed.stop_reason, streamed.usage.output_tokens) == (whole.stop_reason, whole.usage.output_tokens)
    count = await client.messages.count_tokens(model="smollm2", messages=QUESTION, system="You are helpful.")
    assert count.input_tokens == whole.usage.input_tokens == streamed.usage.input_tokens


async def test_a_turn_that_was_begun_for_the_assistant_is_continued(client: AsyncAnthropic) -> None:
    begun: Any = [*QUESTION, {"role": "assistant", "content": "The capital of France is the city of"}]
    answer = await client.messages.create(model="smollm2", max_tokens=4, messages=begun, extra_body={"temperature": 0})
    (said,) = (block.text for block in answer.content if block.type == "text")
    assert "[redacted]" in said


async def test_a_stop_sequence_is_told(client: AsyncAnthropic) -> None:
    answer = await client.messages.create(
        model="smollm2",
        max_tokens=32,
        messages=QUESTION,
        stop_sequences=[" is"],
        extra_body={"temperature": 0},
    )
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", " is")


async def test_the_first_steps_of_the_readme_work(url: str) -> None:
    code = (EXAMPLES / "messages" / "tests" / "first_steps.py").read_text(encoding="utf-8")
    code = code.replace("http://localhost:8000", url)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert out.strip()
