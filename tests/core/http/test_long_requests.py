"""What watches long requests works in whichever event loop they run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
from tests.core.support import error_of, talking

from ovms_core.plugin import Call
from ovms_core.testing import app_with, connected


def test_an_application_that_is_used_again_in_another_event_loop_still_ends_long_requests() -> None:
    async def wait_if_asked(call: Call[Any]) -> AsyncIterator[str]:
        yield call.body.text
        await asyncio.sleep(5 if call.body.text == "wait" else 0)

    app = app_with(talking(wait_if_asked), request_timeout=0.2)

    async def use(text: str) -> httpx.Response:
        async with connected(app) as client:
            return await client.post("/v1/talk", json={"text": text})

    assert asyncio.run(use("done before the event loop has looked")).status_code == 200
    for _ in range(2):
        assert error_of(asyncio.run(use("wait")))["code"] == "request_timeout"
