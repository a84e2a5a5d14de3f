"""Applications that are mounted under a path: on the same gate, with the path as their root."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount as Inner
from starlette.routing import Route as Page
from starlette.routing import WebSocketRoute as Socket
from starlette.websockets import WebSocket
from tests.core.support import error_of, plugin, raising
from websockets.asyncio.client import connect

from ovms_core.errors import PluginError
from ovms_core.plugin import Mount, Route
from ovms_core.testing import app_with, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = {"authorization": "Bearer secret-a"}


async def page(request: Request) -> Response:
    """Where it is, and whose it is."""
    return PlainTextResponse(f"{request.method} {request.url_for('page').path} {getattr(request.state, 'user', None)}")


async def repeat(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())


STUDIO = Starlette(
    routes=[
        Page("/", page, name="root"),
        Page("/page", page, methods=["GET", "PUT"], name="page"),
        Page("/fault", raising(ValueError("slip"))),
        Socket("/repeat", repeat),
        Inner("/deep", routes=[Page("/page", page, name="deep")]),
    ]
)


async def inner(request: Request) -> Response:
    return PlainTextResponse("a route of its own")


def mounting(*mounts: Any, name: str = "studio") -> Any:
    return plugin(name, ovms_register_routes=lambda: list(mounts))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url() -> AsyncIterator[str]:
    studio = mounting(
        Mount("/studio", STUDIO),
        Mount("/studio/open", STUDIO, public=True),
        Route("GET", "/studio/inner", inner),
    )
    async with serving(app_with(studio, api_keys={"alice": "secret-a"})) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module")
async def client(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, headers=KEY) as client:
        yield client


async def test_it_answers_below_its_path_with_that_as_its_root(client: httpx.AsyncClient) -> None:
    for path in ("/studio/page", "/studio/", "/studio/deep/page", "/studio//page"):
        assert (await client.get(path)).text == "GET /studio/page alice", path
    assert (await client.put("/studio/page")).text == "PUT /studio/page alice"
    assert (await client.get("/studio/open/page")).text == "GET /studio/open/page None"
    assert (await client.get("/studio/nowhere")).text == "Not Found"
    assert error_of(await client.get("/studios"))["code"] == "unknown_route"


async def test_a_route_of_its_own_comes_first(client: httpx.AsyncClient) -> None:
    assert (await client.get("/studio/inner")).text == "a route of its own"


async def test_its_root_without_a_slash_leads_to_the_one_with_it(client: httpx.AsyncClient) -> None:
    answer = await client.get("/studio?a=b")
    assert (answer.status_code, answer.headers["location"]) == (307, "/studio/?a=b")


async def test_it_needs_the_key_unless_it_is_public(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as stranger:
        for path in ("/studio", "/studio/page", "/studio/nowhere"):
            assert error_of(await stranger.get(path))["code"] == "missing_api_key"
        assert (await stranger.get("/studio/open/page")).status_code == 200


async def test_its_web_sockets_pass_the_same_gate(url: str) -> None:
    address = url.replace("http", "ws", 1) + "/studio/repeat"
    async with connect(address, additional_headers=KEY, proxy=None) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"


async def test_a_fault_in_it_is_logged_and_answered(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await client.get("/studio/fault")).status_code == 500
    assert "slip" in caplog.text


@pytest.mark.parametrize(
    ("mount", "reason"),
    [
        (Mount("/", STUDIO), "nothing can be mounted at /: choose a path of its own"),
        (Mount("/{name}", STUDIO), "nothing can be mounted at /{name}"),
        (Mount("studio", STUDIO), "the path 'studio' cannot be used: it must begin with '/'"),
        (Mount("/studio", "studio"), "'studio', which is mounted at /studio, is no ASGI application"),  # type: ignore[arg-type]
    ],
)
async def test_what_cannot_be_mounted_is_refused(mount: Mount, reason: str) -> None:
    report = app_with(mounting(mount)).server.plugins[1]
    assert report.state == "quarantined"
    assert reason in report.reason


async def test_two_at_one_path_stop_the_start() -> None:
    with pytest.raises(PluginError, match="Two plugins claim ANY /studio: 'one' and 'two'"):
        app_with(mounting(Mount("/studio", STUDIO), name="one"), mounting(Mount("/studio", STUDIO), name="two"))
