"""Plain routes: those of the core are registered like those of a plugin."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from tests.core.support import Client, echo, error_of, plugin, raising, talking

from ovms_core.app import Application
from ovms_core.errors import PluginError
from ovms_core.plugin import Route, Server
from ovms_core.testing import app_with, scripted_model, scripted_plugin, serving

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
    assert paths.keys() == core | {"/admin/states", "/things/{name}", "/script", "/nothing"}
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


async def test_a_route_without_a_leading_slash_quarantines_its_plugin() -> None:
    odd = plugin("odd", ovms_register_routes=lambda: [Route("GET", "admin", states)])
    (report,) = [each for each in app_with(odd).server.plugins if each.name == "odd"]
    assert report.reason.endswith("the path of a route begins with '/', not 'admin'")


async def test_the_routes_of_a_plugin_that_did_not_open_answer_503() -> None:
    hooks: dict[str, Any] = {"ovms_register_routes": lambda: PAGES, "ovms_lifespan": raising(OSError("full"))}
    async with serving(app_with(talking(echo), plugin("pages", **hooks))) as url, Client(url) as client:
        answer = await client.get("/admin/states")
        assert (answer.status_code, error_of(answer)["code"]) == (503, "plugin_down")
