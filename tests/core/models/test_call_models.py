"""``call.models``: how an endpoint or an interceptor comes to another model than the request's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from tests.core.support import error_of, plugin

from ovms_core.plugin import Body, Call, Endpoint, Event, Model, ModelName, Request, Task, TaskOptions
from ovms_core.testing import FakeEngine, app_with, connected


class PairBody(Body):
    reranker: str | None = None


class Pair(Endpoint[PairBody]):
    path = "/pair"
    body = PairBody
    task = "embeddings"

    def __init__(self) -> None:
        self.found: asyncio.Queue[Model] = asyncio.Queue()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def execute(self, call: Call[PairBody]) -> AsyncIterator[Any]:
        model = call.models.resolve(call.body.reranker, "rerank", param="reranker")
        self.found.put_nowait(model)
        await self.go_on.wait()
        yield [model.name, *(each.name for each in call.models)]


RERANK = Task("rerank", "nobody:Loads", TaskOptions, Request, Event, detect=lambda files: 0)


class Misspelt(Pair):
    async def execute(self, call: Call[PairBody]) -> AsyncIterator[Any]:
        yield call.models.resolve(call.body.reranker, "reranking")


class FromSettings(Pair):
    async def execute(self, call: Call[PairBody]) -> AsyncIterator[Any]:
        yield call.models.resolve(ModelName(call.body.reranker or ""), "rerank", param="reranker")


def engines(*rerankers: str) -> list[FakeEngine]:
    return [FakeEngine("embeddings", name="embed"), *(FakeEngine("rerank", name=name) for name in rerankers)]


def asking(client: httpx.AsyncClient) -> Callable[..., Any]:
    return lambda **body: client.post("/v1/pair", json={"model": "embed", **body})


async def test_an_endpoint_finds_another_model_and_sees_all() -> None:
    app = app_with(plugin("pair", ovms_register_endpoints=lambda: [Pair()]), models=engines("one"))
    async with connected(app) as client:
        ask = asking(client)
        for body in ({"reranker": "one"}, {}):
            assert (await ask(**body)).json() == {"events": [["one", "embed", "one"]]}


@pytest.mark.parametrize(
    ("rerankers", "body", "status", "code", "message"),
    [
        (["one"], {"reranker": "on"}, 404, "model_not_found", "Model 'on' does not exist. Did you mean 'one'?"),
        (["one"], {"reranker": "embed"}, 400, "wrong_task", "Model 'embed' is for embeddings, not for rerank."),
        (["one", "two"], {}, 400, "missing_field", "Field 'reranker' is required, one of: one, two."),
        ([], {}, 404, "model_not_found", "This server has no model for rerank."),
    ],
)
async def test_an_error_names_the_field_that_has_the_models_name(
    rerankers: list[str], body: dict[str, str], status: int, code: str, message: str
) -> None:
    pair = plugin("pair", ovms_register_endpoints=lambda: [Pair()], ovms_register_tasks=lambda: [RERANK])
    async with connected(app_with(pair, models=engines(*rerankers))) as client:
        answer = await asking(client)(**body)
    error = error_of(answer)
    assert (answer.status_code, error["code"], error["param"]) == (status, code, "reranker")
    assert error["message"].startswith(message)


@pytest.mark.parametrize(
    ("endpoint", "reranker", "told"),
    [
        (Misspelt(), "one", "No plugin has the task 'reranking' (did you mean 'rerank'?)"),
        (FromSettings(), "nope", "Model 'nope' does not exist. Served models: embed, one. The name is from a plugin's"),
        (FromSettings(), "embed", "Model 'embed' is for embeddings, not for rerank."),
    ],
)
async def test_a_fault_of_the_plugin_is_not_put_down_to_the_client(
    caplog: pytest.LogCaptureFixture, endpoint: Pair, reranker: str, told: str
) -> None:
    pair = plugin("pair", ovms_register_endpoints=lambda: [endpoint], ovms_register_tasks=lambda: [RERANK])
    async with connected(app_with(pair, models=engines("one"))) as client:
        answer = await asking(client)(reranker=reranker)
    assert (answer.status_code, error_of(answer)["param"]) == (500, None)
    assert "plugin 'pair', POST /pair: LookupError: " in caplog.text
    assert told in caplog.text
    assert "test_call_models.py" in caplog.text


async def test_a_second_model_is_held_until_the_call_ends() -> None:
    pair = Pair()
    pair.go_on.clear()
    app = app_with(plugin("pair", ovms_register_endpoints=lambda: [pair]), models=engines("one"))
    async with connected(app) as client:
        answer = asyncio.create_task(asking(client)())
        model = await pair.found.get()
        unused = asyncio.create_task(model.unused())
        await asyncio.sleep(0)
        assert not unused.done()
        pair.go_on.set()
        assert (await answer).status_code == 200
        await unused


async def test_all_events_of_a_request_are_collected() -> None:
    assert await FakeEngine("embeddings", [1, 2]).model().collect(Request()) == [1, 2]
