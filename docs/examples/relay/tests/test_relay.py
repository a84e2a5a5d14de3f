"""Chat that another server answers: two servers, the other one on a real socket."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from importlib.metadata import entry_points
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from ovms_core.plugin import APIError, Call, Endpoint, Executor, Interceptor, hookimpl, windowed
from ovms_core.testing import FakeEngine, HookRecorder, app_with, connected, read_frames, serving
from ovms_llm.messages import Delta, Started, TokenLogprob, ToolCallDelta, Used
from ovms_relay import hooks

(LLM,) = (each.load() for each in entry_points(group="ovms") if each.name == "llm")
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
QUESTION = {"messages": [{"role": "user", "content": "What grows in Holland?"}]}
FULL = APIError(429, "The queue is full.", code="queue_full", retry_after=7)
SAID = [
    Started(5),
    Delta(0, "Flowers?", [7], channel="reasoning"),
    Delta(0, "Tu", [1], [TokenLogprob("Tu", -0.5, [84, 117])]),
    Delta(0, "lips \u2028!", [2, 3], [TokenLogprob("lips", -0.25, [])]),
    ToolCallDelta(0, 0, "call_1", "water", "", [4]),
    ToolCallDelta(0, 0, arguments='{"litres": ', tokens=[5]),
    ToolCallDelta(0, 0, arguments="2}", tokens=[6]),
    Delta(0, "", [], finish_reason="tool_calls"),
]


class Two:
    """A server that relays, as its client sees it, and the engines of both."""

    def __init__(self, client: httpx.AsyncClient, here: FakeEngine, there: FakeEngine) -> None:
        self.client = client
        self.here = here
        self.there = there

    async def ask(self, **fields: Any) -> httpx.Response:
        return await self.client.post("/v1/chat/completions", json={**QUESTION, **fields})


@asynccontextmanager
async def two(
    here: Any = SAID, there: Any = SAID, *plugins: object, keys: Any = None, endless: bool = False, **relay: Any
) -> AsyncIterator[Two]:
    """Two servers whose engines answer so; `relay` are the settings of the first."""
    big = FakeEngine("text_generation", there, name="big", endless=endless)
    small = FakeEngine("text_generation", here, name="small")
    async with serving(app_with(LLM, models=[big], api_keys=keys or {})) as url:
        own = {"url": f"{url}/v1", "models": {"small": "big"}, "when": "always", **relay}
        async with connected(app_with(LLM, hooks, *plugins, models=[small], plugins={"relay": own})) as client:
            yield Two(client, small, big)


def said(response: httpx.Response) -> dict[str, Any]:
    """The choice of an answer, put together if it came in pieces, and what it used."""
    assert response.status_code == 200, response.text
    if response.headers["content-type"] == "application/json":
        document = response.json()
        (choice,) = document["choices"]
        return {**choice.pop("message"), **choice, "usage": document["usage"]}
    *chunks, done = read_frames(response.text)
    assert done.data == "[DONE]"
    documents = [each.document() for each in chunks]
    deltas = [choice["delta"] for document in documents for choice in document["choices"]]
    return {
        "content": "".join(each.get("content") or "" for each in deltas),
        "reasoning": "".join(each.get("reasoning") or "" for each in deltas),
        "calls": [each["tool_calls"] for each in deltas if "tool_calls" in each],
        "logprobs": [choice["logprobs"] for document in documents for choice in document["choices"]],
        "finish_reason": [choice["finish_reason"] for document in documents for choice in document["choices"]][-1],
        "usage": documents[-1].get("usage"),
    }


@BOTH
async def test_an_answer_is_what_the_other_server_would_give(stream: bool) -> None:
    fields = {"stream": stream, "logprobs": True, "stream_options": {"include_usage": True} if stream else None}
    async with two(here=[RuntimeError("nobody asks it")]) as servers:
        relayed = said(await servers.ask(**fields))
        (asked,) = servers.there.requests
        assert not servers.here.requests
    async with connected(app_with(LLM, models=[FakeEngine("text_generation", SAID)])) as client:
        direct = said(await client.post("/v1/chat/completions", json={**QUESTION, **fields}))
    assert relayed == direct
    assert relayed["usage"]["completion_tokens"] == 7
    assert asked.prompt.messages == QUESTION["messages"]


async def test_guards_see_the_same_events() -> None:
    recorder = HookRecorder()
    async with two(SAID, SAID, recorder) as servers:
        await servers.ask()
    (recorded,) = recorder.calls
    assert [type(event) for event in recorded.events] == [Delta] * 3 + [ToolCallDelta] * 3 + [Delta, Used]


@BOTH
async def test_a_guard_redacts_what_comes_from_there(stream: bool) -> None:
    async def redact(call: Call[Any], proceed: Executor) -> AsyncIterator[Any]:
        async with aclosing(windowed(proceed(call), 5)) as windows:
            async for window in windows:
                if (at := window.text.find("Tulip", window.start)) >= 0:
                    window.replace(at, at + 5, "[…]")
                for event in window.release():
                    yield event

    @hookimpl(nests="outside")
    def wrap(endpoint: Endpoint[Any]) -> Interceptor:
        return redact

    async with two(SAID, SAID, SimpleNamespace(__name__="guard", ovms_wrap_execution=wrap)) as servers:
        assert said(await servers.ask(stream=stream))["content"] == "[…]s \u2028!"


@BOTH
async def test_only_when_the_queue_is_full_is_the_other_server_asked(stream: bool) -> None:
    async with two([FULL], SAID, when="busy") as servers:
        assert said(await servers.ask(stream=stream))["content"] == "Tulips \u2028!"
        assert len(servers.there.requests) == 1
    async with two([Delta(0, "Here.", [1], finish_reason="stop")], SAID, when="busy") as servers:
        assert said(await servers.ask(stream=stream))["content"] == "Here."
        assert not servers.there.requests


async def test_what_else_is_wrong_here_is_told_from_here() -> None:
    async with two([APIError(400, "Too long.", code="context_length_exceeded")], when="busy") as servers:
        assert (await servers.ask()).json()["error"]["code"] == "context_length_exceeded"
        assert not servers.there.requests


async def test_a_model_that_is_not_named_is_answered_here() -> None:
    async with two([Delta(0, "Here.", [1], finish_reason="stop")], models={"other": "big"}) as servers:
        assert said(await servers.ask())["content"] == "Here."


async def test_a_client_that_leaves_cancels_there() -> None:
    async with two(there=SAID[:3], endless=True) as servers:
        async with servers.client.stream("POST", "/v1/chat/completions", json={**QUESTION, "stream": True}) as answer:
            async for line in answer.aiter_lines():
                if "Tu" in line:
                    break
        await servers.there.until_cancelled()


@BOTH
async def test_a_full_queue_there_is_a_429_that_says_when_to_come_again(stream: bool) -> None:
    async with two([FULL], [FULL], when="busy") as servers:
        answer = await servers.ask(stream=stream)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.json()["error"]["code"] == "queue_full"


async def test_an_error_in_mid_stream_is_the_last_frame() -> None:
    async with two(there=[*SAID[:3], APIError(500, "The engine failed.", code="engine_failed")]) as servers:
        *_, last = read_frames((await servers.ask(stream=True)).text)
        whole = await servers.ask()
    assert last.document()["error"]["code"] == whole.json()["error"]["code"] == "engine_failed"
    assert whole.status_code == 502


async def test_a_key_that_the_other_server_does_not_know_is_the_operators_matter() -> None:
    async with two(keys={"relay": "right"}, api_key="wrong") as servers:
        refused = await servers.ask()
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "relay_failed")
    async with two(keys={"relay": "right"}, api_key="right") as servers:
        assert (await servers.ask()).status_code == 200


async def test_a_server_that_cannot_be_reached_is_a_502() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with two(url=f"http://127.0.0.1:{unused.getsockname()[1]}/v1") as servers:
            answer = await servers.ask(stream=True)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "relay_unreachable")


@pytest.mark.parametrize(
    ("sent", "told"),
    [(b'data: {"choices": []}\n\n', "broke its answer off"), (b"data: <html>\n\n", "sent no chunk")],
)
async def test_a_stream_that_is_none_is_a_502(sent: bytes, told: str) -> None:
    from ovms_relay.chunks import events_in

    async def stream() -> AsyncIterator[bytes]:
        yield sent

    with pytest.raises(APIError, match=told):
        [event async for event in events_in(stream())]


async def test_without_a_server_to_relay_to_nothing_changes() -> None:
    async with two([Delta(0, "Here.", [1], finish_reason="stop")], url=None) as servers:
        assert said(await servers.ask())["content"] == "Here."
