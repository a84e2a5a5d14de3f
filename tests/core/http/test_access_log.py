"""A line for every request."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from tests.core.support import Client, echo, plugin, raising, refusing, talking

from ovms_core.plugin import APIError
from ovms_core.settings import PluginSettings
from ovms_core.testing import app_with, connected, serving


async def test_every_request_is_a_line_the_refused_ones_too_and_no_secret_is_in_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="ovms.access")
    failing = talking(refusing(ValueError("no luck")), "/fail")
    app = app_with(talking(echo), failing, api_keys={"ada": "key-of-ada"}, access_log=True)
    key = {"authorization": "Bearer key-of-ada"}
    async with serving(app) as url, Client(url) as client:
        await client.post("/v1//talk?secret=1", json={"text": "private"}, headers={**key, "x-request-id": "one"})
        await client.post("/v1/talk", json={"text": "private", "stream": True}, headers=key)
        await client.post("/v1/talk", json={"text": "private"}, headers={"authorization": "Bearer secret"})
        await client.get("/no%0Awhere", headers=key)
        await client.post("/v1/fail", json={}, headers=key)
    written = [each.getMessage() for each in caplog.records if each.name == "ovms.access"]
    lines: list[dict[str, Any]] = [json.loads(each) for each in written]
    assert [(line["method"], line["path"], line["status"], line["user"]) for line in lines] == [
        ("POST", "/v1//talk", 200, "ada"),
        ("POST", "/v1/talk", 200, "ada"),
        ("POST", "/v1/talk", 401, None),
        ("GET", "/no\nwhere", 404, None),
        ("POST", "/v1/fail", 500, "ada"),
    ]
    assert (lines[0]["id"], lines[0]["client"]) == ("one", "127.0.0.1")
    assert all(0 < line["seconds"] < 60 for line in lines)
    assert not any("private" in line or "secret" in line or "\n" in line for line in written)


async def test_nothing_is_logged_unless_it_is_wanted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="ovms.access")
    async with serving(app_with(talking(echo))) as url, Client(url) as client:
        await client.say(text="a")
    assert [each for each in caplog.records if each.name == "ovms.access"] == []


@pytest.mark.parametrize("name", ["a-plugin", "z-plugin"])
@pytest.mark.parametrize("order", [[], ["a-plugin", "z-plugin", "core"]])
async def test_what_a_plugin_around_the_server_answers_or_raises_is_a_line_with_the_status_that_the_client_got(
    caplog: pytest.LogCaptureFixture, name: str, order: list[str]
) -> None:
    def wrap(app: Any) -> Any:
        async def outside(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/teapot":
                await send({"type": "http.response.start", "status": 418, "headers": []})
                await send({"type": "http.response.body"})
            else:
                raising(APIError(403, "No.") if scope["path"] == "/no" else ValueError("no luck"))()

        return outside

    caplog.set_level(logging.INFO, logger="ovms.access")
    plugins = PluginSettings(order=order)
    app = app_with(plugin(name, ovms_wrap_server=lambda: wrap), access_log=True, plugins=plugins)
    async with connected(app) as client:
        told = [(await client.get(path)).status_code for path in ("/teapot", "/no", "/fail")]
    lines = [json.loads(each.getMessage()) for each in caplog.records if each.name == "ovms.access"]
    assert [line["status"] for line in lines] == told == [418, 403, 500]
