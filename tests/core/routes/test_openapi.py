"""``/openapi.json`` is a document that tools accept, whatever plugins are there."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from importlib import import_module
from typing import Annotated, Any

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import Field, create_model
from tests.core.support import TalkBody, plugin

from ovms_core.plugin import Body, Call, Endpoint, Int, Route
from ovms_core.testing import app_with

FIRST_PARTY = ("ovms_llm", "ovms_embeddings", "ovms_rerank", "ovms_imagegen", "ovms_starter")
METHODS = {"get", "post", "put", "patch", "delete", "head", "options"}


def document(*hooks: Any, **settings: Any) -> dict[str, Any]:
    """The document of a server with the plugins `hooks`, as clients get it; asserts that it is valid."""
    described: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(app_with(*hooks, **settings).server.openapi))
    errors = [
        f"{list(error.absolute_path)}: {error.message}" for error in OpenAPIV31SpecValidator(described).iter_errors()
    ]
    assert errors == []
    return described


def operations(described: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for there in described["paths"].values() for method, each in there.items() if method in METHODS]


@pytest.fixture(scope="module")
def first_party() -> dict[str, Any]:
    return document(*(import_module(f"{name}.hooks") for name in FIRST_PARTY))


def test_every_operation_has_an_id_of_its_own_and_says_what_it_answers(first_party: dict[str, Any]) -> None:
    ids = [each["operationId"] for each in operations(first_party)]
    assert len(set(ids)) == len(ids)
    assert all(each["responses"]["200"]["content"] for each in operations(first_party))


def test_media_types_are_the_real_ones(first_party: dict[str, Any]) -> None:
    paths = first_party["paths"]
    edits = paths["/images/edits"]["post"]
    assert set(edits["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
    assert set(edits["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
    pictures = paths["/images/files/{name}"]["get"]["responses"]["200"]["content"]
    assert set(pictures) == {"image/png", "image/jpeg", "image/webp"}
    assert set(paths["/metrics"]["get"]["responses"]["200"]["content"]) == {"text/plain"}


def test_an_answer_has_its_schema(first_party: dict[str, Any]) -> None:
    answer = first_party["paths"]["/chat/completions"]["post"]["responses"]["200"]["content"]["application/json"]
    name = answer["schema"]["$ref"].rpartition("/")[2]
    assert {"id", "choices", "usage"} <= set(first_party["components"]["schemas"][name]["properties"])


class Answer(msgspec.Struct):
    """What is said."""

    text: str


def endpoint(path: str, **members: Any) -> Endpoint[Any]:
    async def execute(self: Any, call: Call[Any]) -> AsyncIterator[str]:
        yield "a"

    talk: Endpoint[Any] = type("Talk", (Endpoint,), {"path": path, "body": Body, "execute": execute, **members})()
    return talk


def register(name: str, *endpoints: Endpoint[Any]) -> Any:
    return plugin(name, ovms_register_endpoints=lambda settings: list(endpoints))


def test_classes_of_one_name_keep_schemas_of_their_own() -> None:
    bodies = [create_model("Answer", __base__=Body, a=(int, ...)), create_model("Answer", __base__=Body, b=(int, ...))]
    error = create_model("Error", __base__=Body, c=(int, ...))
    other = msgspec.defstruct("Answer", [("d", int)], module="elsewhere")
    plugins = [
        register("one", endpoint("/one", body=bodies[0], response=Answer)),
        register("two", endpoint("/two", body=bodies[1], response=other)),
        register("three", endpoint("/three", body=error)),
    ]
    described = document(*plugins)
    schemas = described["components"]["schemas"]

    def fields(of: dict[str, Any]) -> set[str]:
        return set(schemas[of["schema"]["$ref"].rpartition("/")[2]]["properties"])

    one, two, three = (described["paths"][path]["post"] for path in ("/one", "/two", "/three"))
    asked = [fields(each["requestBody"]["content"]["application/json"]) for each in (one, two, three)]
    assert [sorted(each - {"model"}) for each in asked] == [["a"], ["b"], ["c"]]
    answered = [fields(each["responses"]["200"]["content"]["application/json"]) for each in (one, two)]
    assert answered == [{"text"}, {"d"}]
    assert fields(three["responses"]["400"]["content"]["application/json"]) == {"error"}


async def states(request: Any) -> Any:
    """All states."""


def test_paths_that_make_the_same_id_get_two() -> None:
    routes = plugin(
        "routes", ovms_register_routes=lambda: [Route("GET", "/a/{b}", states), Route("GET", "/a_b", states)]
    )
    described = document(routes, register("one", endpoint("/a/b/get"), endpoint("/a_b/get")))
    ids = [each["operationId"] for each in operations(described)]
    assert {"a_b_get", "a_b_get_2", "a_b_get_3", "a_b_get_4"} <= set(ids)
    assert len(set(ids)) == len(ids)


def test_a_parameter_in_a_path_has_its_type() -> None:
    things = plugin(
        "things", ovms_register_routes=lambda: [Route("GET", "/{n:int}/{x:float}/{id:uuid}/{rest:path}", states)]
    )
    there = document(things)["paths"]["/{n}/{x}/{id}/{rest}"]["get"]["parameters"]
    assert [each["schema"]["type"] for each in there] == ["integer", "number", "string", "string"]
    assert there[2]["schema"]["format"] == "uuid"


def test_an_answer_without_a_schema_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ovms.openapi"):
        described = document(register("odd", endpoint("/odd", response=list[int] | list[str])))
    assert described["paths"]["/odd"]["post"]["responses"]["200"]["content"] == {"application/json": {}}
    assert "Talk.response is left out of /openapi.json" in caplog.text


class Callback(Body):
    then: Callable[[], int] = int


def test_a_body_without_a_schema_is_named_in_the_log_and_the_others_are_described(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "ovms.openapi"):
        described = document(register("odd", endpoint("/odd", body=Callback), endpoint("/even", body=TalkBody)))
    assert "Callback are left out of /openapi.json" in caplog.text
    assert "text" in described["components"]["schemas"]["TalkBody"]["properties"]


class LimitedBody(Body):
    best: Annotated[Int, Field(ge=1, le=10)] = 3
    step: Annotated[Int, Field(gt=0, lt=100, multiple_of=2)] = 2


class Limited(Endpoint[LimitedBody]):
    path = "/limited"
    body = LimitedBody

    def execute(self, call: Call[LimitedBody]) -> AsyncIterator[str]:
        raise NotImplementedError

    def to_json(self, call: Call[LimitedBody], events: Sequence[str]) -> object:
        return {}


class LimitedQuery(Limited):
    method = "GET"


def test_limits_of_integers_are_those_of_json_schema() -> None:
    described = document(plugin("limited", ovms_register_endpoints=lambda: [Limited(), LimitedQuery()]))
    fields = described["components"]["schemas"]["LimitedBody"]["properties"]
    query = {each["name"]: each["schema"] for each in described["paths"]["/limited"]["get"]["parameters"]}
    for found in (fields, query):
        best, step = found["best"], found["step"]
        assert (best["minimum"], best["maximum"]) == (1, 10)
        assert (step["exclusiveMinimum"], step["exclusiveMaximum"], step["multipleOf"]) == (0, 100, 2)
        assert not {"ge", "le", "gt", "lt", "multiple_of"} & {*best, *step}


def test_no_schema_has_limits_that_json_schema_does_not_know(first_party: dict[str, Any]) -> None:
    written = msgspec.json.encode(first_party["components"]["schemas"])
    assert not [name for name in (b"ge", b"gt", b"le", b"lt", b"multiple_of") if b'"%b":' % name in written]


def test_only_requests_with_a_body_can_be_refused_for_it() -> None:
    described = document(plugin("limited", ovms_register_endpoints=lambda: [Limited(), LimitedQuery()]))
    there = described["paths"]["/limited"]
    assert {"413", "415"} <= there["post"]["responses"].keys()
    assert not {"413", "415"} & there["get"]["responses"].keys()
