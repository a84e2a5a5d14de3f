"""Authenticators of plugins: asked for whatever carries no known key, and never a way in when they fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.requests import HTTPConnection
from tests.core.support import Client, echo, error_of, plugin, raising, talking, until

from ovms_core.application import Application
from ovms_core.errors import PluginError
from ovms_core.http import auth
from ovms_core.plugin import APIError, Call
from ovms_core.testing import app_with, connected, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKED: list[str] = []


async def who(call: Call[Any]) -> AsyncIterator[str]:
    yield call.user or "nobody"


async def by_token(connection: HTTPConnection) -> Any:
    """What a test says in the token."""
    token = connection.headers.get("authorization", "").removeprefix("Bearer ")
    ASKED.append(token)
    if token == "raise":
        raise RuntimeError("the directory of users is away")
    if token == "cancel":
        raise asyncio.CancelledError
    if token == "forbid":
        raise APIError(403, "Your account is closed.", code="account_closed")
    if token == "wait":
        await asyncio.Event().wait()
    odd = {"": None, "unknown": None, "number": 7, "empty": "", "control": "a\nb", "surrogate": "\ud800", "yes": True}
    return odd.get(token, token)


def asking(authenticator: Any, name: str = "guard") -> Any:
    return plugin(name, ovms_authenticate=lambda: authenticator)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def app() -> Application:
    return app_with(asking(by_token), talking(who), api_keys={"alice": "secret-a"}, access_log=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    ASKED.clear()
    async with connected(app) as client:
        yield client


async def test_a_known_key_is_looked_at_first_and_then_the_authenticator_asked(client: httpx.AsyncClient) -> None:
    ASKED.clear()
    known = await client.post("/v1/talk", json={}, headers=bearer("secret-a"))
    other = await client.post("/v1/talk", json={}, headers=bearer("carol"))
    assert (known.json(), other.json()) == ({"text": "alice"}, {"text": "carol"})
    assert ASKED == ["carol"]


@pytest.mark.parametrize(("headers", "code"), [({}, "missing_api_key"), (bearer("unknown"), "invalid_api_key")])
async def test_whom_it_does_not_know_is_refused(client: httpx.AsyncClient, headers: dict[str, str], code: str) -> None:
    answer = await client.post("/v1/talk", json={}, headers=headers)
    assert (answer.status_code, error_of(answer)["code"]) == (401, code)
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/nowhere", "/openapi.json", "/"])
async def test_everything_that_is_not_public_asks_it(client: httpx.AsyncClient, path: str) -> None:
    ASKED.clear()
    assert (await client.get(path)).status_code == 401
    assert ASKED == [""]
    assert (await client.get(path, headers=bearer("carol"))).status_code == (404 if path == "/nowhere" else 200)


async def test_public_routes_and_browsers_that_ask_for_permission_ask_nobody(client: httpx.AsyncClient) -> None:
    ASKED.clear()
    assert (await client.get("/health", headers=bearer("raise"))).status_code == 200
    preflight = {"origin": "https://app.example.org", "access-control-request-method": "POST"}
    for path in ("/v1/talk", "/nowhere"):
        answer = await client.options(path, headers=preflight)
        assert (answer.status_code, error_of(answer)["code"]) == (400, "cors_refused")
    assert ASKED == []


async def test_one_that_raises_lets_nobody_in_and_the_log_says_where(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/v1/talk", "/nowhere"):
        answer = await client.post(path, json={}, headers={**bearer("raise"), "x-request-id": "my-id"})
        assert (answer.status_code, error_of(answer)["code"]) == (500, "internal_error")
        assert "directory" not in answer.text
    logged = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(logged) == 2
    assert "request my-id failed: plugin 'guard', ovms_authenticate: RuntimeError: the directory of" in logged[0]
    assert "test_authenticators.py:" in logged[0]


@pytest.mark.parametrize("token", ["number", "empty", "control", "surrogate", "yes", "cancel"])
async def test_an_answer_that_is_no_name_lets_nobody_in(client: httpx.AsyncClient, token: str) -> None:
    answer = await client.post("/v1/talk", json={}, headers=bearer(token))
    assert (answer.status_code, error_of(answer)["code"]) == (500, "internal_error")


async def test_it_may_refuse_in_its_own_words(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/talk", json={}, headers=bearer("forbid"))
    assert (answer.status_code, error_of(answer)["code"]) == (403, "account_closed")


async def test_one_that_hangs_is_given_up_with_503(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "PATIENCE", 0.05)
    answer = await client.post("/v1/talk", json={}, headers=bearer("wait"))
    assert (answer.status_code, error_of(answer)["code"]) == (503, "authentication_timeout")
    assert answer.headers["retry-after"]


async def test_the_access_log_and_the_documentation_know_of_it(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "ovms.access"):
        document = (await client.get("/openapi.json", headers=bearer("carol"))).json()
    assert document["security"] == [{"key": []}]
    assert document["components"]["securitySchemes"]
    assert '"user":"carol"' in caplog.text


async def test_without_keys_the_authenticator_alone_decides() -> None:
    app = app_with(asking(by_token), talking(echo))
    assert app.server.admission.keyed
    async with connected(app) as client:
        assert (await client.get("/v1/models")).status_code == 401
        assert (await client.get("/v1/models", headers=bearer("carol"))).status_code == 200


async def test_requests_that_are_asked_about_are_in_flight() -> None:
    go = asyncio.Event()

    async def slowly(connection: HTTPConnection) -> str | None:
        if connection.url.path == "/v1/models":
            await go.wait()
        return "carol"

    app = app_with(asking(slowly), talking(echo), max_requests=1)
    async with serving(app) as url, Client(url) as client:
        waiting = asyncio.create_task(client.get("/v1/models"))
        await until(lambda: app.server.admission.in_flight == 1)
        for path in ("/v1/talk", "/nowhere"):
            answer = await client.post(path, json={})
            assert (answer.status_code, error_of(answer)["code"]) == (503, "overloaded")
        assert (await client.get("/metrics")).status_code == 200
        go.set()
        assert (await waiting).status_code == 200


class Directory:
    async def __call__(self, connection: HTTPConnection) -> str | None:
        return "carol"


def sync(connection: HTTPConnection) -> str:
    return "carol"


async def test_an_object_with_an_async_call_is_one() -> None:
    async with connected(app_with(asking(Directory()), talking(who))) as client:
        assert (await client.post("/v1/talk", json={})).json() == {"text": "carol"}


@pytest.mark.parametrize("answer", [Directory, sync, "carol", 7])
async def test_what_is_no_async_function_stops_the_start(answer: Any) -> None:
    with pytest.raises(PluginError, match=r"Plugin 'guard': ovms_authenticate .*returned .* where an async function"):
        app_with(asking(answer))


@pytest.mark.parametrize("hook", [raising(OSError("no directory")), lambda settings, wrong: None])
async def test_a_plugin_with_one_that_fails_stops_the_start(hook: Callable[..., Any]) -> None:
    with pytest.raises(
        PluginError, match=r"(?s)Plugin 'guard'.*guards? requests, so the server does not start without it"
    ):
        app_with(plugin("guard", ovms_authenticate=hook))


async def test_a_plugin_that_means_to_have_one_stops_the_start() -> None:
    with pytest.raises(PluginError, match="ovms_authenticate"):
        app_with(plugin("guard", ovms_autenticate=lambda: by_token))


async def test_two_stop_the_start() -> None:
    with pytest.raises(PluginError, match="Plugins 'guard' and 'other' both answer ovms_authenticate"):
        app_with(asking(by_token), asking(by_token, "other"))
    app_with(asking(by_token), asking(None, "other"))
