"""API keys: asked for everywhere unless a route is public."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.core.support import Client, Talk, echo, error_of, plugin, post, raw, talking

from ovms_core.app import Application
from ovms_core.plugin import Call
from ovms_core.testing import app_with, scripted_plugin, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = {"alice": "secret-a", "bob": "secret-b"}


class Open(Talk):
    path = "/open"
    public = True

    def __init__(self) -> None:
        super().__init__(echo, "/open")


async def who(call: Call[Any]) -> AsyncIterator[str]:
    yield call.user or "nobody"


@pytest.fixture(scope="module")
def app() -> Application:
    opened = plugin("opened", ovms_register_endpoints=lambda: [Open()])
    return app_with(opened, talking(who), scripted_plugin, api_keys=KEYS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(app: Application) -> AsyncIterator[str]:
    async with serving(app) as url:
        yield url


async def test_every_route_that_is_not_public_needs_the_key(app: Application, url: str) -> None:
    async with Client(url) as client:
        routes = [route for route in app.server.routes if not route.public]
        assert {"/v3/models", "/v3/models/{id:path}", "/metrics", "/version", "/v1/talk"} <= {r.path for r in routes}
        for route in routes:
            answer = await client.request(route.method, route.path)
            assert answer.status_code == 401, route.path
            assert error_of(answer)["code"] == "missing_api_key"
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_stranger_learns_nothing_from_paths_and_methods(url: str) -> None:
    async with Client(url) as client:
        assert (await client.get("/nowhere")).status_code == 401
        assert (await client.delete("/v1/talk")).status_code == 401
        headers = {"authorization": "Bearer secret-a"}
        assert (await client.get("/nowhere", headers=headers)).status_code == 404


async def test_public_routes_answer_without_a_key(url: str) -> None:
    async with Client(url) as client:
        for path in ("/health", "/v2/health/live", "/v2/health/ready"):
            assert (await client.get(path)).status_code == 200
        assert (await client.say("/v3/open", text="hello")).json() == {"text": "hello"}


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer secret-b"},
        {"authorization": "bearer  secret-b"},
        {"x-api-key": "secret-b"},
        {"api-key": "secret-b"},
        {"authorization": "Basic Zm9v", "x-api-key": "secret-b"},
    ],
)
async def test_a_key_may_come_in_any_usual_header_and_names_its_user(url: str, headers: dict[str, str]) -> None:
    async with Client(url) as client:
        assert (await client.post("/v1/talk", json={}, headers=headers)).json() == {"text": "bob"}


@pytest.mark.parametrize("key", ["secret", "secret-a2", "SECRET-A", "alice"])
async def test_a_wrong_key_is_refused(url: str, key: str) -> None:
    async with Client(url) as client:
        answer = await client.post("/v1/talk", json={}, headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 401
        assert error_of(answer)["code"] == "invalid_api_key"


async def test_a_refused_request_never_has_its_body_read(url: str) -> None:
    async with Client(url) as client:
        answer = await client.post("/v1/talk", content=b"x" * 10_000_000)
        assert answer.status_code == 401


async def test_an_empty_key_opens_nothing() -> None:
    """Should one ever be among the keys: everybody can send it."""
    async with serving(app_with(talking(who), api_keys={"nobody": ""})) as url:
        for header in ("authorization: Bearer ", "authorization: Bearer  ,", "x-api-key: ", "api-key:  "):
            answer = await raw(url, post("/v1/talk", b"{}", header, "connection: close"))
            assert answer.startswith(b"HTTP/1.1 401 "), header
