"""The fake engine, the in-process client and the recorder, at work on the scripted endpoint."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from ovms_core.engine import LoadError, RequestError
from ovms_core.testing import (
    FakeEngine,
    HookRecorder,
    Script,
    ScriptedEngine,
    Word,
    app_with,
    connected,
    read_frames,
    scripted_model,
    scripted_plugin,
    served,
    serving,
)
from ovms_core.testing.imports import imported_with

WORDS = [Word(0, "one "), Word(1, "two ")]


async def test_a_fake_engine_gives_its_events_and_remembers_the_request() -> None:
    engine = FakeEngine("scripted", WORDS)
    async with connected(app_with(scripted_plugin, models=[engine])) as client:
        answer = await client.post("/v3/script", json={"count": 2})
        assert answer.json() == {"text": "one two "}
        assert not engine.closed
    assert [request.count for request in engine.requests] == [2]
    assert engine.cancelled == []
    assert engine.closed


async def test_a_fake_engine_may_answer_by_the_request_and_beside_real_models() -> None:
    engine = FakeEngine("scripted", lambda script: WORDS[: script.count], name="fake")
    async with connected(app_with(scripted_plugin, models=[scripted_model("real"), engine])) as client:
        fake = await client.post("/v3/script", json={"model": "fake", "count": 1})
        real = await client.post("/v3/script", json={"model": "real", "count": 1})
    assert (fake.json()["text"], real.json()["text"]) == ("one ", "w0 ")


async def test_what_a_fake_engine_refuses_reaches_the_client_as_from_a_real_one() -> None:
    engine = FakeEngine("scripted", [RequestError("too much", param="count", code="too_many")])
    async with connected(app_with(scripted_plugin, models=[engine])) as client:
        answer = await client.post("/v3/script", json={})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "too_many"
    assert engine.cancelled == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_fake_engine_sees_that_a_client_left(stream: bool) -> None:
    engine = FakeEngine("scripted", WORDS, endless=True)
    async with connected(app_with(scripted_plugin, models=[engine])) as client:
        request = asyncio.create_task(client.post("/v3/script", json={"stream": stream}))
        while not engine.requests:
            await asyncio.sleep(0)
        request.cancel()
        async with asyncio.timeout(10):
            await engine.until_cancelled()
        assert engine.load().in_flight == 0
    assert engine.cancelled == engine.requests


async def test_the_in_process_client_reads_a_stream_as_it_comes_and_closing_it_is_leaving() -> None:
    engine = FakeEngine("scripted", WORDS, endless=True)
    async with connected(app_with(scripted_plugin, models=[engine])) as client:
        async with client.stream("POST", "/v3/script", json={"stream": True}) as answer:
            chunks = answer.aiter_text()
            assert [await anext(chunks), await anext(chunks)] == [
                'data: ["word",0,"one "]\n\n',
                'data: ["word",1,"two "]\n\n',
            ]
            assert engine.cancelled == []
        assert len(engine.cancelled) == 1


async def test_the_in_process_client_and_a_socket_say_the_same() -> None:
    app = app_with(scripted_plugin, models=[scripted_model()])
    async with serving(app) as url, httpx.AsyncClient(base_url=url) as client:
        sent = await client.post("/v1/script?x=1", json={"count": 2, "stream": True})
    async with connected(app_with(scripted_plugin, models=[scripted_model()])) as client:
        direct = await client.post("/v1/script?x=1", json={"count": 2, "stream": True})
    assert (sent.status_code, sent.text) == (direct.status_code, direct.text)
    assert [frame.data for frame in read_frames(direct.text)] == ['["word",0,"w0 "]', '["word",1,"w1 "]', "[DONE]"]


async def test_a_recorder_sees_hooks_calls_events_and_outcomes() -> None:
    recorder = HookRecorder()
    async with connected(app_with(scripted_plugin, recorder, models=[scripted_model()])) as client:
        await client.post("/v3/script", json={"count": 2})
        await client.post("/v3/script", json={"count": 1, "fail_at": 0})
    assert {"ovms_register_tasks", "ovms_wrap_execution", "ovms_lifespan"} <= {hook.name for hook in recorder.hooks}
    assert {asked["endpoint"].path for asked in recorder.asked("ovms_wrap_execution")} == {"/script"}
    good, bad = recorder.calls
    assert good.events == [Word(0, "w0 "), Word(1, "w1 ")]
    assert good.closed
    assert good.outcome is not None
    assert good.outcome.status == 200
    assert bad.outcome is not None
    assert bad.outcome.status == 400


async def test_a_served_model_is_a_real_process() -> None:
    async with served(scripted_model(), scripted_plugin) as model:
        assert [event async for event in model.submit(Script(count=2))] == [Word(0, "w0 "), Word(1, "w1 ")]
        assert model.info is not None
        assert model.info.details == {"scripted": True}


def test_a_worker_with_the_scripted_engine_imports_no_server() -> None:
    assert imported_with(ScriptedEngine.__module__).isdisjoint({"pluggy", "pydantic", "starlette", "typer", "uvicorn"})


async def test_a_model_that_does_not_load_says_why() -> None:
    with pytest.raises(LoadError, match="no such weights"):
        async with served(scripted_model(load_error="no such weights"), scripted_plugin):
            raise AssertionError("it was served")
