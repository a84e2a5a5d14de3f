"""Endpoints whose requests have no body: their fields stand in the path and in the query."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal

import pytest
import pytest_asyncio
from pydantic import Field
from tests.core.support import Client, error_of, plugin

from ovms_core.plugin import Body, Call, Endpoint, Int
from ovms_core.request_body.body import declares_model
from ovms_core.testing import app_with, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


class NoteBody(Body):
    id: str
    limit: Annotated[Int, Field(ge=1, le=100)] = 20
    order: Literal["asc", "desc"] = "asc"
    deep: bool = False
    tag: list[str] = Field(default_factory=list)


class ShowNote(Endpoint[NoteBody]):
    """A note."""

    path = "/notes/{id}"
    method = "GET"
    body = NoteBody

    async def execute(self, call: Call[NoteBody]) -> AsyncIterator[Any]:
        yield call.body.model_dump(exclude={"model"})

    def to_json(self, call: Call[NoteBody], events: Sequence[Any]) -> Any:
        return events[0]


class DropNote(ShowNote):
    """Drop a note."""

    method = "DELETE"


class SendNote(ShowNote):
    """Send a note."""

    path = "/notes/{id}/send"
    method = "POST"
    accepts = ()


class KeepNote(ShowNote):
    """Keep a note."""

    path = "/notes"
    method = "POST"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def notes() -> AsyncIterator[Client]:
    app = app_with(plugin("notes", ovms_register_endpoints=lambda: [ShowNote(), DropNote(), SendNote(), KeepNote()]))
    async with serving(app) as url, Client(url) as client:
        yield client


async def test_the_fields_come_from_the_path_and_the_query(notes: Client) -> None:
    answer = await notes.get("/v3/notes/a?limit=5&deep=true&order=desc&tag=x&tag=y")
    assert answer.json() == {"id": "a", "limit": 5, "order": "desc", "deep": True, "tag": ["x", "y"]}
    for query in ("tag=x", "tag[]=x"):
        assert (await notes.get(f"/v3/notes/a?{query}")).json()["tag"] == ["x"]
    assert (await notes.delete("/v3/notes/b")).json()["id"] == "b"
    assert (await notes.post("/v3/notes/c/send")).json()["id"] == "c"


async def test_a_method_with_a_body_reads_it_whatever_the_class_that_it_derives_from_does(notes: Client) -> None:
    assert (await notes.post("/v3/notes", json={"id": "d"})).json()["id"] == "d"


async def test_the_path_wins_over_the_query_and_unknown_parameters_are_named(notes: Client) -> None:
    answer = await notes.get("/v3/notes/a?id=b&colour=red")
    assert answer.json()["id"] == "a"
    assert answer.headers["x-ignored-params"] == "colour"


async def test_a_model_is_named_as_ignored_where_no_task_asks_for_one(notes: Client) -> None:
    answer = await notes.get("/v3/notes/a?colour=red&model=any")
    assert answer.headers["x-ignored-params"] == "colour, model"


async def test_a_body_that_declares_the_model_itself_uses_it() -> None:
    class OwnBody(Body):
        model: str | None = None

    class Derived(OwnBody):
        text: str = ""

    assert [declares_model(each) for each in (Body, NoteBody, OwnBody, Derived)] == [False, False, True, True]


@pytest.mark.parametrize("query", ["limit=many", "limit=0", "limit=5&limit=6", "deep=perhaps", "order=random"])
async def test_a_parameter_at_fault_is_a_400_that_names_it(notes: Client, query: str) -> None:
    answer = await notes.get(f"/v3/notes/a?{query}")
    assert answer.status_code == 400
    assert error_of(answer)["param"] == query.partition("=")[0]


async def test_the_documentation_shows_parameters_and_no_body(notes: Client) -> None:
    paths = (await notes.get("/openapi.json")).json()["paths"]
    show, drop, send = paths["/notes/{id}"]["get"], paths["/notes/{id}"]["delete"], paths["/notes/{id}/send"]["post"]
    assert len({each["operationId"] for each in (show, drop, send)}) == 3
    assert not any("requestBody" in each for each in (show, drop, send))
    places = {each["name"]: (each["in"], each["required"]) for each in show["parameters"]}
    assert places == {"id": ("path", True)} | dict.fromkeys(("limit", "order", "deep", "tag"), ("query", False))
