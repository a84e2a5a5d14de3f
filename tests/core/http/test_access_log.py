"""A line for every request."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from tests.core.support import Client, echo, refusing, talking

from ovms_core.testing import app_with, serving


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
