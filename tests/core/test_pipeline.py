"""Interceptors wrap every endpoint, unary and streaming alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from tests.core.support import Client, Execute, Talk, TalkBody, echo, error_of, frames, plugin, talking

from ovms_core.calls.endpoint import Executor, Interceptor
from ovms_core.errors import APIError
from ovms_core.plugin import Call
from ovms_core.settings import PluginSettings
from ovms_core.testing import app_with, serving


def marking(name: str) -> Interceptor:
    async def mark(call: Call[Any], proceed: Executor) -> AsyncIterator[Any]:
        yield f"<{name}>"
        async for event in proceed(call):
            yield event
        yield f"</{name}>"

    return mark


async def test_interceptors_nest_as_the_operator_says_and_see_both_modes_alike() -> None:
    marks = [plugin(name, ovms_wrap_execution=lambda name=name: marking(name)) for name in ("a", "b")]
    app = app_with(talking(echo), *marks, plugins=PluginSettings(order=["b", "a"]))
    async with serving(app) as url, Client(url) as client:
        assert (await client.say(text="x")).json() == {"text": "<b><a>x</a></b>"}
        assert frames(await client.say(text="x", stream=True)) == ["<b>", "<a>", "x", "</a>", "</b>", "[DONE]"]


async def test_an_interceptor_may_refuse_by_what_the_request_says_in_both_modes() -> None:
    async def guard(call: Call[Any], proceed: Executor) -> AsyncIterator[Any]:
        if any("forbidden" in text for text in call.texts()):
            raise APIError(400, "The input was rejected by policy.", code="policy_violation")
        async with aclosing(proceed(call)) as events:  # type: ignore[type-var]
            async for event in events:
                yield event.replace("secret", "•••")

    async with serving(app_with(talking(echo, ovms_wrap_execution=lambda: guard))) as url, Client(url) as client:
        for stream in (False, True):
            refused = await client.say(text="a forbidden word", stream=stream)
            assert refused.status_code == 400
            assert error_of(refused)["code"] == "policy_violation"
            assert "•••" in (await client.say(text="a secret word", stream=stream)).text


async def test_an_interceptor_may_answer_from_a_cache_and_retry() -> None:
    tries = []

    async def flaky(call: Call[Any]) -> AsyncIterator[str]:
        tries.append(call.id)
        if len(tries) < 3:
            raise APIError(503, "not yet")
        yield "at last"

    async def retry(call: Call[Any], proceed: Executor) -> AsyncIterator[Any]:
        for _ in range(2):
            try:
                async for event in proceed(call):
                    yield event
                return
            except APIError:
                continue
        async for event in proceed(call):
            yield event

    async with serving(app_with(talking(flaky, ovms_wrap_execution=lambda: retry))) as url, Client(url) as client:
        assert (await client.say()).json() == {"text": "at last"}


async def test_every_interceptor_is_closed_when_the_client_leaves() -> None:
    closed: list[str] = []
    all_closed = asyncio.Event()

    def closing(name: str) -> Interceptor:
        async def intercept(call: Call[Any], proceed: Executor) -> AsyncIterator[Any]:
            try:
                async for event in proceed(call):
                    yield event
            finally:
                closed.append(name)
                if name == "a":
                    all_closed.set()

        return intercept

    async def endless(call: Call[Any]) -> AsyncIterator[str]:
        while True:
            yield "word"
            await asyncio.sleep(0.01)

    marks = [plugin(name, ovms_wrap_execution=lambda name=name: closing(name)) for name in ("a", "b")]
    app = app_with(talking(endless), *marks, plugins=PluginSettings(order=["a", "b"]))
    async with serving(app) as url, Client(url) as client:
        async with client.stream("POST", "/v1/talk", json={"stream": True}) as answer:
            await anext(answer.aiter_lines())
        async with asyncio.timeout(2):
            await all_closed.wait()
        assert closed == ["b", "a"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_execution_may_return_the_events_of_another_which_the_server_closes(stream: bool) -> None:
    begun, closed = asyncio.Event(), asyncio.Event()

    async def endless() -> AsyncIterator[str]:
        try:
            yield "a"
            begun.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    def returning(call: Call[Any]) -> AsyncIterator[str]:
        if call.body.text == "refused":
            raise APIError(403, "no", code="refused")
        return endless()

    async with serving(app_with(talking(returning))) as url, Client(url) as client:
        refused = await client.say(text="refused", stream=stream)
        assert (refused.status_code, error_of(refused)["code"]) == (403, "refused")
        request = asyncio.create_task(client.say(stream=stream))
        await begun.wait()
        request.cancel()
        await asyncio.wait_for(closed.wait(), 10)


async def test_an_executor_need_not_be_a_generator() -> None:
    class Plain:
        def __init__(self, call: Call[Any]) -> None:
            self._words = iter(call.body.text.split())

        def __aiter__(self) -> Plain:
            return self

        async def __anext__(self) -> str:
            for word in self._words:
                return str(word)
            raise StopAsyncIteration

    async with serving(app_with(talking(Plain))) as url, Client(url) as client:
        assert (await client.say(text="a b")).json() == {"text": "ab"}
        assert frames(await client.say(text="a b", stream=True)) == ["a", "b", "[DONE]"]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_without_events_is_an_answer(stream: bool) -> None:
    async def silent(call: Call[Any]) -> AsyncIterator[str]:
        for word in call.body.text.split():
            yield word

    async with serving(app_with(talking(silent))) as url, Client(url) as client:
        answer = await client.say(stream=stream)
        assert answer.status_code == 200
        assert answer.text in ('{"text":""}', "data: [DONE]\n\n")


async def test_every_endpoint_answers_under_every_prefix() -> None:
    async with serving(app_with(talking(echo))) as url, Client(url) as client:
        for prefix in ("/v3", "/v1", "/v3/v1"):
            assert (await client.say(f"{prefix}/talk", text="a")).status_code == 200
        assert (await client.say("/talk", text="a")).status_code == 404


async def test_what_is_no_formatter_is_not_put_in_the_place_of_one() -> None:
    app = app_with(talking(echo), plugin("odd", ovms_formatter=lambda: object()))
    (report,) = (report for report in app.server.plugins if report.name == "odd")
    assert report.state == "quarantined"
    assert "its class does not derive from Formatter" in report.reason
    async with serving(app) as url, Client(url) as client:
        assert (await client.say(text="a")).json() == {"text": "a"}


class Detaching(Talk):
    """Answers at once; what it was asked for goes on in a task of its own."""

    def __init__(self, execute: Execute) -> None:
        super().__init__(execute)
        self.heard: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def parse(self, request: Request) -> Call[TalkBody]:
        call = await super().parse(request)
        call.detached = True
        return call

    async def unary(self, call: Call[TalkBody], events: AsyncIterator[str]) -> Response:
        self._take_over(events)
        return Response(b"accepted")

    async def stream(self, call: Call[TalkBody], events: AsyncIterator[str]) -> AsyncIterator[bytes]:
        self._take_over(events)
        yield b"data: accepted\n\n"

    def _take_over(self, events: AsyncIterator[str]) -> None:
        async def run() -> None:
            async with aclosing(events) as all_events:  # type: ignore[type-var]
                self.heard += [event async for event in all_events]

        self.tasks.append(asyncio.create_task(run()))


async def test_a_detached_call_goes_on_after_its_answer_inside_all_interceptors() -> None:
    may_speak = asyncio.Event()

    async def patient(call: Call[Any]) -> AsyncIterator[str]:
        await may_speak.wait()
        yield call.body.text

    endpoint = Detaching(patient)
    app = app_with(
        plugin("talk", ovms_register_endpoints=lambda: [endpoint]),
        plugin("marks", ovms_wrap_execution=lambda: marking("m")),
    )
    async with serving(app) as url, Client(url) as client:
        for stream in (False, True):
            assert "accepted" in (await client.say(text="x", stream=stream)).text
        assert endpoint.heard in ([], ["<m>"], ["<m>", "<m>"])
        may_speak.set()
        await asyncio.gather(*endpoint.tasks)
    assert sorted(endpoint.heard) == sorted(["<m>", "x", "</m>"] * 2)
