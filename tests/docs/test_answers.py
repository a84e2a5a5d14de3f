"""The tutorial's endpoint over three models."""

from __future__ import annotations

import asyncio
import sys
from array import array
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from types import ModuleType
from typing import Any

import httpx
import pytest
from tests.docs.pages import SNIPPETS

from ovms_core.configuration import ConfigurationError
from ovms_core.plugin import Application, Call, Executor, hookimpl
from ovms_core.testing import FakeEngine, app_with, connected
from ovms_embeddings.messages import Embed, Embedded
from ovms_llm.messages import Delta, Started
from ovms_rerank.messages import Score, Scored

DOCUMENTS = ["Cats sleep.", "The library opens at nine.", "Books are red."]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(SNIPPETS / "answers")
    import ovms_answers  # type: ignore[import-not-found]

    yield ovms_answers
    del sys.modules["ovms_answers"]


def embed(request: Embed) -> list[Embedded]:
    """A text is near to another by how many letters it has."""
    vectors = [array("f", [1.0, 1 / len(text)]).tobytes() for text in request.inputs]
    return [Embedded(vectors, 3)]


def score(request: Score) -> list[Scored]:
    return [Scored([float("library" in document) for document in request.documents], 3, 9)]


ANSWER = [Started(9), Delta(0, "At ", [1]), Delta(0, "nine.", [2], finish_reason="stop")]


class Engines:
    def __init__(self) -> None:
        self.embed = FakeEngine("embeddings", embed, name="embed")
        self.rank = FakeEngine("rerank", score, name="rank")
        self.chat = FakeEngine("text_generation", ANSWER, name="chat")

    def app(self, *plugins: object, **own: Any) -> Application:
        sections = {"answers": {"documents": DOCUMENTS, **own}}
        return app_with(*plugins, models=[self.embed, self.rank, self.chat], plugins=sections)


async def ask(client: httpx.AsyncClient, **query: Any) -> httpx.Response:
    return await client.get("/v1/answer", params={"question": "When does the library open?", **query})


async def test_it_answers_from_the_best_documents(answers: ModuleType) -> None:
    engines = Engines()
    async with connected(engines.app(answers, max_tokens=5)) as client:
        answer = await ask(client, best=1)
        await ask(client)
        metrics = (await client.get("/metrics")).text
    assert answer.json() == {"answer": "At nine.", "documents": ["The library opens at nine."]}
    assert len(engines.embed.requests) == 3, "the documents are embedded once"
    asked = engines.chat.requests[0]
    assert "The library opens at nine." in asked.prompt.messages[0]["content"]
    assert asked.sampling.max_tokens == 5
    assert "answers_documents_read_total 4.0" in metrics


async def test_it_streams(answers: ModuleType) -> None:
    async with connected(Engines().app(answers)) as client:
        lines = (await ask(client, stream="true", best="1")).text.split("\n\n")
    assert '"documents":["The library opens at nine."]' in lines[0]
    assert [line for line in lines if "nine." in line][1:]
    assert "data: [DONE]" in lines


async def test_a_wrong_name_is_told_with_its_field(answers: ModuleType) -> None:
    async with connected(Engines().app(answers)) as client:
        for field in ("embedder", "reranker", "model"):
            refused = await ask(client, **{field: "chats"})
            assert (refused.status_code, refused.json()["error"]["param"]) == (404, field)


async def test_guards_stand_around_it(answers: ModuleType) -> None:
    async def louder(call: Call[Any], proceed: Executor) -> AsyncIterator[Any]:
        assert list(call.texts()) == ["When does the library open?"]
        async with aclosing(proceed(call)) as events:  # type: ignore[type-var]
            async for event in events:
                if hasattr(event, "text"):
                    event.text = event.text.upper()
                yield event

    class Guard:
        __name__ = "guard"

        @hookimpl(nests="outside")
        def ovms_wrap_execution(self) -> Any:
            return louder

    async with connected(Engines().app(answers, Guard())) as client:
        assert (await ask(client)).json()["answer"] == "AT NINE."


async def test_a_client_that_leaves_cancels_the_model_at_work(answers: ModuleType) -> None:
    engines = Engines()
    engines.rank = FakeEngine("rerank", (), name="rank", endless=True)
    async with connected(engines.app(answers)) as client:
        leaving = asyncio.create_task(ask(client))
        while not engines.rank.requests:
            await asyncio.sleep(0.005)
        leaving.cancel()
        await engines.rank.until_cancelled()
    assert not engines.chat.requests


def test_without_documents_the_server_does_not_start(answers: ModuleType) -> None:
    with pytest.raises(ConfigurationError, match=r"'plugins.answers.documents' is required."):
        app_with(answers)
