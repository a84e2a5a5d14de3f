"""Any text may be put into a response header: it neither splits the response nor fails it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.responses import Response
from tests.core.support import Client, connect, echo, error_of, plugin, post, refusing, talking

from ovms_core.errors import APIError
from ovms_core.plugin import Call, Formatter, Proceed, header_text
from ovms_core.testing import app_with, connected, serving

TEXTS = ["a\r\nx-split: yes\r\n\r\nbody", "a\nb", "日本", "\ud800", "nul\0", "é", "\x7f", "plain, 100%"]
SAFE = [
    "a%0D%0Ax-split: yes%0D%0A%0D%0Abody",
    "a%0Ab",
    "%E6%97%A5%E6%9C%AC",
    "?",
    "nul%00",
    "%C3%A9",
    "%7F",
    TEXTS[-1],
]


@pytest.mark.parametrize(("text", "safe"), list(zip(TEXTS, SAFE, strict=True)))
async def test_text_in_the_headers_of_an_error_is_escaped(text: str, safe: str) -> None:
    refusal = APIError(418, "I am a teapot.", code="teapot", headers={"x-found": text})
    async with serving(app_with(talking(refusing(refusal)))) as url, Client(url) as client:
        answer = await client.say()
        assert error_of(answer)["code"] == "teapot"
        assert answer.headers["x-found"] == safe
        assert "x-split" not in answer.headers


@pytest.mark.parametrize(("text", "safe"), list(zip(TEXTS, SAFE, strict=True)))
async def test_text_in_the_headers_of_a_plugins_response_or_stream_is_escaped(text: str, safe: str) -> None:
    class Labelled(Formatter):
        async def unary(self, call: Call[Any], events: AsyncIterator[Any]) -> Response:
            return Response("{}", headers={"x-found": header_text(text)})

        async def stream(self, call: Call[Any], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
            async for event in events:
                yield event.encode()

        def stream_headers(self, call: Call[Any]) -> dict[str, str]:
            return {**super().stream_headers(call), "x-found": text}

    app = app_with(talking(echo), plugin("labelled", ovms_formatter=lambda: Labelled()))
    async with serving(app) as url, Client(url) as client:
        for stream in (False, True):
            answer = await client.say(text="a", stream=stream)
            assert (answer.status_code, answer.headers["x-found"]) == (200, safe)
            assert "x-split" not in answer.headers


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        (b"x-found", b"a\r\nx-split: yes", b"x-found: a%0D%0Ax-split: yes"),
        (b"x-found", b"caf\xe9\0", b"x-found: caf\xe9%00"),
        (b"x:\r\ny", b"1", b"x%3a%0d%0ay: 1"),
    ],
)
async def test_what_a_plugin_sends_past_everything_is_escaped_too(name: bytes, value: bytes, line: bytes) -> None:
    async def answer(app: Any, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(name, value)]})
            await send({"type": "http.response.body", "body": b"ok"})
        else:
            await app(scope, receive, send)

    wrapped = plugin("bare", ovms_wrap_app=lambda: lambda app: lambda *asgi: answer(app, *asgi))
    async with serving(app_with(talking(echo), wrapped)) as url:
        reader, writer = await connect(url)
        writer.write(post("/v1/talk", b"{}"))
        assert line in (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        writer.close()


@pytest.mark.parametrize(
    "put", [lambda headers: headers.update({"x-by": 3}), lambda headers: headers.__setitem__("x-by", 3)]
)
async def test_a_header_that_is_no_text_is_told_with_its_name(
    caplog: pytest.LogCaptureFixture, put: Callable[[Any], None]
) -> None:
    async def labelling(call: Call[Any], proceed: Proceed) -> AsyncIterator[Any]:
        put(call.headers)
        async for event in proceed(call):
            yield event

    app = app_with(talking(echo), plugin("labels", ovms_wrap_execution=lambda: labelling))
    async with connected(app) as client:
        assert (await client.post("/v1/talk", json={"text": "a"})).status_code == 500
    assert ", POST /talk: TypeError: call.headers['x-by'] is 3, not a text" in caplog.text
