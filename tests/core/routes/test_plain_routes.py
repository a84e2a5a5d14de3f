"""Plain routes: those of the core are registered like those of a plugin."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from tests.core.support import Client, Talk, echo, error_of, plugin, raising, talking

from ovms_core.app import Application
from ovms_core.errors import PluginError
from ovms_core.plugin import Route, Server
from ovms_core.testing import app_with, connected, scripted_model, scripted_plugin, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = {"authorization": "Bearer key-of-ada"}


async def states(request: Request) -> Response:
    """The state of every model.

    Asked when they are wanted.
    """
    server: Server = request.app.server
    return JSONResponse({model.name: model.state for model in server.models})


async def shown(request: Request) -> Response:
    """What is under a name."""
    return JSONResponse([request.path_params["name"], request.scope["path"]])


PAGES = [
    Route("GET", "/admin/states", states),
    Route("PUT", "/admin/states", states, include_in_schema=False),
    Route("GET", "/things/{name:path}", shown, public=True, prefixed=True),
]


@pytest.fixture(scope="module")
def app() -> Application:
    pages = plugin("pages", ovms_register_routes=lambda: PAGES)
    return app_with(pages, scripted_plugin, models=[scripted_model(load_error="no")], api_keys={"ada": "key-of-ada"})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(app: Application) -> AsyncIterator[str]:
    async with serving(app) as url:
        yield url


async def test_a_route_answers_where_it_says_and_knows_the_server(url: str) -> None:
    async with Client(url, headers=KEY) as client:
        for method in ("GET", "PUT"):
            assert (await client.request(method, "/admin/states")).json() == {"scripted": "failed"}
        assert (await client.head("/admin/states")).content == b""
        assert (await client.delete("/admin/states")).headers["allow"] == "GET, HEAD, PUT"


async def test_a_prefixed_route_answers_under_every_prefix_and_nowhere_else(url: str) -> None:
    async with Client(url, headers=KEY) as client:
        for prefix in ("/v1", "/v3", "/v3/v1"):
            assert (await client.get(f"{prefix}/things/a/b")).json() == ["a/b", f"{prefix}/things/a/b"]
        assert (await client.get("/things/a")).status_code == 404
        assert (await client.get("/v1/admin/states")).status_code == 404


async def test_a_route_needs_the_key_unless_it_is_public(url: str) -> None:
    async with Client(url) as client:
        assert error_of(await client.get("/admin/states"))["code"] == "missing_api_key"
        assert (await client.get("/v1/things/a")).status_code == 200


async def test_routes_describe_themselves(url: str) -> None:
    async with Client(url, headers=KEY) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert "The state of every model." in (await client.get("/docs")).text
    core = {"/", "/models", "/models/{id}", "/health", "/v2/health/live", "/v2/health/ready", "/version", "/metrics"}
    assert paths.keys() == core | {"/admin/states", "/things/{name}", "/script"}
    described, hidden = paths["/admin/states"]["get"], paths["/admin/states"].get("put")
    assert described["summary"] == "The state of every model."
    assert described["description"] == "Asked when they are wanted."
    assert (paths["/admin/states"]["servers"], hidden, described.get("security")) == ([{"url": "/"}], None, None)
    public = paths["/things/{name}"]["get"]
    assert (public["parameters"][0]["name"], public["security"]) == ("name", [])
    assert "servers" not in paths["/things/{name}"]


@pytest.mark.parametrize("path", ["/health", "/docs", "/v1/models/{id:path}"])
async def test_a_plugin_cannot_take_a_route_of_the_core(path: str) -> None:
    thief = plugin("thief", ovms_register_routes=lambda: [Route("GET", path, states, public=True)])
    with pytest.raises(PluginError, match=r"claim GET .*: 'core' and 'thief'"):
        app_with(thief)


ODD_PATHS = [
    ("admin", "it must begin with '/'"),
    ("/a//b", "it has two slashes in a row"),
    ("/a/", "it must not end with '/'"),
    ("/a/{x:foo}", "its parameter {x:foo} has none of the types str, path, int, float, uuid"),
    ("/a/{my-id}", "its parameter {my-id} has no name that Python allows"),
    ("/a/{}", "its parameter {} has no name that Python allows"),
    ("/a/{x}/{x:int}", "two of its parameters are named 'x'"),
    ("/a/{x", "its braces do not match"),
]


@pytest.mark.parametrize(("path", "fault"), ODD_PATHS)
async def test_a_path_that_could_never_match_quarantines_its_plugin(path: str, fault: str) -> None:
    odd = plugin("odd", ovms_register_routes=lambda: [Route("GET", path, states)])
    dead = plugin("dead", ovms_register_endpoints=lambda: [Talk(echo, path)])
    further = Talk(echo)
    further.also = (path,)  # type: ignore[misc]
    late = plugin("late", ovms_register_endpoints=lambda: [further])
    reports = {each.name: each for each in app_with(odd, dead, late).server.plugins}
    for name in ("odd", "dead", "late"):
        assert reports[name].state == "quarantined"
        assert f": the path '{path}' cannot be used: {fault}" in reports[name].reason


class Page:
    """A handler that is an object."""

    async def __call__(self, request: Request) -> Response:
        return JSONResponse("page")


async def test_a_handler_that_is_no_async_function_and_a_method_in_lower_case_quarantine_their_plugins() -> None:
    def blocking(request: Request) -> Response:
        raise NotImplementedError

    quiet = Talk(echo)
    quiet.method = "post"  # type: ignore[misc]
    odd = [
        plugin("odd", ovms_register_routes=lambda: [Route("GET", "/odd", blocking)]),  # type: ignore[arg-type]
        plugin("quiet", ovms_register_endpoints=lambda: [quiet]),
    ]
    reasons = {each.name: each.reason for each in app_with(*odd).server.plugins}
    assert "the handler of the route /odd, cannot be used: it is no async function" in reasons["odd"]
    assert "Talk.method must be in upper case, not 'post'" in reasons["quiet"]


async def test_a_route_with_a_method_in_lower_case_and_one_with_an_object_as_its_handler_answer() -> None:
    routes = [Route("get", "/page", Page()), Route("Post", "/page", partial(shown))]
    async with connected(app_with(plugin("pages", ovms_register_routes=lambda: routes))) as client:
        assert (await client.get("/page")).json() == "page"
        assert (await client.delete("/page")).headers["allow"] == "GET, HEAD, POST"


async def test_the_routes_of_a_plugin_that_did_not_open_answer_503() -> None:
    hooks: dict[str, Any] = {"ovms_register_routes": lambda: PAGES, "ovms_lifespan": raising(OSError("full"))}
    async with serving(app_with(talking(echo), plugin("pages", **hooks))) as url, Client(url) as client:
        answer = await client.get("/admin/states")
        assert (answer.status_code, error_of(answer)["code"]) == (503, "plugin_down")
