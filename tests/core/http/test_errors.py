"""Request ids, the one error shape, and what browsers may read of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.core.support import Client, echo, error_of, plugin, raising, refusing, talking

from ovms_core.testing import app_with, connected, scripted_plugin, serving


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url() -> AsyncIterator[str]:
    app = app_with(
        talking(echo),
        talking(refusing(ZeroDivisionError("/srv/secret.py")), "/fails"),
        scripted_plugin,
        max_body_size=1000,
    )
    async with serving(app) as url:
        yield url


@pytest.mark.asyncio(loop_scope="module")
async def test_a_sane_request_id_comes_back(url: str) -> None:
    async with Client(url) as client:
        answer = await client.get("/health", headers={"x-request-id": "trace-1:span/2"})
        assert answer.headers["x-request-id"] == "trace-1:span/2"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("insane", ["", "two words", "x" * 129, 'a"b', "é"])
async def test_an_insane_request_id_is_replaced(url: str, insane: str) -> None:
    async with Client(url) as client:
        answer = await client.get("/health", headers=[(b"x-request-id", insane.encode())])
        assert answer.headers["x-request-id"] != insane
        assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("method", "path", "content", "kind", "status", "code"),
    [
        ("POST", "/v1/talk", b"{", "application/json", 400, "invalid_json"),
        ("POST", "/v1/talk", b"[]", "application/json", 400, "invalid_json"),
        ("POST", "/v1/talk", b"\xff\xfe", "application/json", 400, "invalid_json"),
        ("POST", "/v1/talk", b'{"texts": ""}', "application/json", 400, "unknown_field"),
        ("POST", "/v1/talk", b'{"text": 1}', "application/json", 400, "invalid_value"),
        ("POST", "/v1/talk", b"{}", "text/plain", 415, "unsupported_media_type"),
        ("POST", "/v1/talk", b'{"text": "' + b"x" * 2000 + b'"}', "application/json", 413, "body_too_large"),
        ("GET", "/v1/talk", b"", "application/json", 405, "method_not_allowed"),
        ("GET", "/v1/tlak", b"", "application/json", 404, "unknown_route"),
        ("GET", "/v3/models/nope", b"", "application/json", 404, "model_not_found"),
        ("POST", "/v1/script", b'{"model": "nope"}', "application/json", 404, "model_not_found"),
        ("POST", "/v3/v1/fails", b"{}", "application/json", 500, "internal_error"),
    ],
)
async def test_every_error_has_the_one_shape_and_an_id_and_leaks_nothing(
    url: str, method: str, path: str, content: bytes, kind: str, status: int, code: str
) -> None:
    async with Client(url) as client:
        answer = await client.request(method, path, content=content, headers={"content-type": kind})
        assert answer.status_code == status
        error = error_of(answer)
        assert error["code"] == code
        assert error["message"][0].isupper()
        assert answer.headers["x-request-id"]
        assert "/srv" not in answer.text
        assert "Traceback" not in answer.text
        assert "ZeroDivision" not in answer.text


@pytest.mark.asyncio(loop_scope="module")
async def test_405_says_what_is_allowed(url: str) -> None:
    async with Client(url) as client:
        assert (await client.get("/v1/talk")).headers["allow"] == "POST"


@pytest.mark.asyncio(loop_scope="module")
async def test_404_suggests_the_nearest_route(url: str) -> None:
    async with Client(url) as client:
        assert "Did you mean /v1/talk?" in error_of(await client.post("/v1/tlk"))["message"]


async def test_middleware_that_raises_is_a_500_in_the_one_shape() -> None:
    def wrap_app() -> Any:
        return lambda app: raising(RuntimeError("secret"))

    async with serving(app_with(talking(echo, ovms_wrap_app=wrap_app))) as url, Client(url) as client:
        answer = await client.say(text="a")
        assert answer.status_code == 500
        assert "secret" not in error_of(answer)["message"]


async def test_an_error_after_the_response_has_started_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    def wrap_app(app: Any) -> Any:
        async def fail_late(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise ValueError("late")

        return fail_late

    outer = plugin("outer", ovms_wrap_server=lambda: lambda app: app)
    async with connected(app_with(talking(echo, ovms_wrap_app=lambda: wrap_app), outer)) as client:
        with pytest.raises(httpx.RemoteProtocolError, match="late"):
            await client.post("/v1/talk", json={"text": "a"}, headers={"x-request-id": "one"})
    failed = [record for record in caplog.records if record.name == "ovms.http" and record.levelname == "ERROR"]
    (record,) = failed
    assert record.getMessage().startswith(
        f"request one failed: plugin 'talk', POST /talk: ValueError: late at {__file__}"
    )


async def test_browsers_of_other_origins_get_nothing_by_default_and_hear_how_to_allow_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    preflight = {"origin": "https://app.example", "access-control-request-method": "POST"}
    async with serving(app_with(talking(echo), api_keys={"me": "k"})) as url, Client(url) as client:
        answer = await client.post("/v1/talk", json={"text": "a"}, headers={"origin": "https://app.example"})
        assert "access-control-allow-origin" not in answer.headers
        for path in ("/v1/talk", "/v1/talk", "/nowhere"):
            answer = await client.options(path, headers=preflight)
            assert answer.status_code == 400
            assert error_of(answer)["code"] == "cors_refused"
            assert 'cors_origins: ["https://app.example"]' in error_of(answer)["message"]
        assert [record.getMessage() for record in caplog.records if "cors_origins" in record.getMessage()] == [
            "Pages of https://app.example may not call this server: its setting cors_origins is empty. "
            'To allow it, add to ovms.yaml: cors_origins: ["https://app.example"]'
        ]
        for origin in ('https://a"], x: ["b', "https://" + "a" * 1000, "no origin"):
            message = error_of(await client.options("/v1/talk", headers=preflight | {"origin": origin}))["message"]
            assert message.startswith("Pages of another origin may not call this server")
        assert (await client.options("/v1/talk", headers={"origin": "https://app.example"})).status_code == 401


async def test_browsers_of_a_listed_origin_may_call_and_read_even_errors() -> None:
    origin = {"origin": "https://app.example"}
    app = app_with(talking(echo), cors_origins=["https://app.example"], api_keys={"me": "k"})
    async with serving(app) as url, Client(url) as client:
        preflight = await client.options(
            "/v1/talk",
            headers={
                **origin,
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization",
            },
        )
        assert preflight.status_code == 200
        assert preflight.headers["x-request-id"]
        refused = await client.post("/v1/talk", json={}, headers=origin)
        assert refused.status_code == 401
        for answer in (preflight, refused):
            assert answer.headers["access-control-allow-origin"] == "https://app.example"
        other = await client.post("/v1/talk", json={}, headers={"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


async def test_a_preflight_that_is_refused_has_the_one_error_shape() -> None:
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    async with serving(app_with(talking(echo), cors_origins=["https://app.example"])) as url, Client(url) as client:
        answer = await client.options("/v1/talk", headers=asked)
        assert answer.status_code == 400
        assert error_of(answer)["code"] == "cors_refused"
        assert "access-control-allow-origin" not in answer.headers
        assert (await client.options("/v1/talk", headers=asked | {"origin": "https://app.example"})).status_code == 200
