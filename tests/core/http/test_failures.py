"""A failure in a plugin's code is told with the plugin, the endpoint and the author's line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from tests.core.support import Talk, echo, error_of, plugin, talking

from ovms_core.calls.endpoint import Executor
from ovms_core.plugin import Call
from ovms_core.routes.route import Route
from ovms_core.settings import PluginSettings
from ovms_core.testing import app_with, connected


def fail(*_: object, **__: object) -> Any:
    raise KeyError("colour")


class Failing(Talk):
    """Fails in one of its methods."""

    def __init__(self, member: str) -> None:
        super().__init__(echo)
        setattr(self, member, fail)


async def failing_guard(call: Call[Any], proceed: Executor) -> AsyncIterator[Any]:
    async for event in proceed(call):
        fail()
        yield event


async def passing_guard(call: Call[Any], proceed: Executor) -> AsyncIterator[Any]:
    async for event in proceed(call):
        yield event


async def page(request: Request) -> Response:
    return Response(fail())


def middleware(app: Any) -> Any:
    async def run(scope: Any, receive: Any, send: Any) -> None:
        fail()

    return run


def endpoint(member: str) -> object:
    return plugin("talk", ovms_register_endpoints=lambda: [Failing(member)])


def guard(name: str, interceptor: Any) -> object:
    return plugin(name, ovms_wrap_execution=lambda: interceptor)


TALK = talking(echo)


@pytest.mark.parametrize(
    ("plugins", "culprit"),
    [
        pytest.param([endpoint("parse")], "plugin 'talk', POST /talk", id="parse"),
        pytest.param([endpoint("_execute")], "plugin 'talk', POST /talk", id="execute"),
        pytest.param([endpoint("to_json")], "plugin 'talk', POST /talk", id="to_json"),
        pytest.param([TALK, guard("one", failing_guard)], "plugin 'one', POST /talk", id="interceptor"),
        pytest.param(
            [talking(fail), guard("one", passing_guard)], "plugin 'talk', POST /talk", id="executor-in-an-interceptor"
        ),
        pytest.param(
            [TALK, guard("one", passing_guard), guard("two", failing_guard)],
            "plugin 'two', POST /talk",
            id="interceptor-in-another",
        ),
        pytest.param(
            [TALK, plugin("other", ovms_parser=lambda endpoint: fail)], "plugin 'other', POST /talk", id="parser"
        ),
        pytest.param(
            [TALK, plugin("other", ovms_executor=lambda endpoint: fail)], "plugin 'other', POST /talk", id="executor"
        ),
        pytest.param(
            [TALK, plugin("other", ovms_wrap_app=lambda: middleware)], "plugin 'other', POST /talk", id="middleware"
        ),
        pytest.param(
            [TALK, plugin("other", ovms_wrap_server=lambda: middleware)], "plugin 'other'", id="server-middleware"
        ),
        pytest.param(
            [plugin("pages", ovms_register_routes=lambda: [Route("POST", "/v1/talk", page)])],
            "plugin 'pages', POST /v1/talk",
            id="route",
        ),
    ],
)
async def test_the_log_names_the_plugin_the_endpoint_and_the_authors_line(
    plugins: Sequence[object], culprit: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_with(*plugins, plugins=PluginSettings(order=["one", "two"]))
    async with connected(app) as client:
        answer = await client.post("/v1/talk", json={"text": "a"}, headers={"x-request-id": "r1"})
    assert answer.status_code == 500
    (told,) = [record.getMessage() for record in caplog.records if "request r1 failed" in record.getMessage()]
    first, *trace = told.splitlines()
    assert first.startswith(f"request r1 failed: {culprit}: KeyError: 'colour' at {__file__}:")
    assert first.endswith(" in fail")
    assert "/ovms_core/" not in told
    assert trace[-1] == "KeyError: 'colour'"


async def test_a_failure_in_mid_stream_names_them_too(caplog: pytest.LogCaptureFixture) -> None:
    async def execute(call: Call[Any]) -> AsyncIterator[str]:
        yield "a"
        fail()

    async with connected(app_with(talking(execute))) as client:
        await client.post("/v1/talk", json={"stream": True}, headers={"x-request-id": "r1"})
    assert (
        f"request r1 failed in mid-stream: plugin 'talk', POST /talk: KeyError: 'colour' at {__file__}" in caplog.text
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_what_cannot_be_written_is_named_by_its_path(caplog: pytest.LogCaptureFixture, stream: bool) -> None:
    class Odd(Talk):
        def to_json(self, call: Call[Any], events: Sequence[Any]) -> object:
            return {"choices": events}

    async def execute(call: Call[Any]) -> AsyncIterator[Any]:
        yield {"score": 1j}

    async with connected(app_with(plugin("odd", ovms_register_endpoints=lambda: [Odd(execute)]))) as client:
        await client.post("/v1/talk", json={"stream": stream})
    fault = "score: a value of type complex cannot be written as JSON"
    assert (
        f"the event dict: {fault}" if stream else f"the answer: choices[0].{fault}, in what {__file__}:"
    ) in caplog.text
    assert "plugin 'odd', POST /talk: UnwritableError: " in caplog.text


async def test_a_failure_of_the_server_itself_keeps_its_whole_traceback(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ovms_core.__version__", object())
    async with connected(app_with()) as client:
        assert (await client.get("/version")).status_code == 500
    (record,) = [record for record in caplog.records if record.name == "ovms.http"]
    assert record.getMessage().endswith(
        "failed: GET /version: TypeError: Encoding objects of type object is unsupported"
    )
    assert record.exc_info


class UnsayableError(Exception):
    """Fails once more when somebody wants to know what it says."""

    def __str__(self) -> str:
        raise KeyError("colour")


class PanicError(BaseException):
    """What failures in other languages come as: Rust's panics, for example, are no `Exception`."""


@pytest.mark.parametrize(
    "error", [UnsayableError(), SystemExit(3), PanicError("a panic")], ids=lambda e: type(e).__name__
)
async def test_whatever_a_plugin_raises_has_the_one_error_shape_and_a_line_in_the_log(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async def execute(call: Call[Any]) -> AsyncIterator[str]:
        if call.stream:
            yield "a"
        raise error

    async with connected(app_with(talking(execute))) as client:
        whole = await client.post("/v1/talk", json={"stream": False})
        stream = await client.post("/v1/talk", json={"stream": True})
    assert error_of(whole)["code"] == "internal_error"
    assert '"code":"internal_error"' in stream.text
    told = [record.getMessage() for record in caplog.records if "failed" in record.getMessage()]
    assert len(told) == 2
    assert all(f"plugin 'talk', POST /talk: {type(error).__name__}" in line for line in told)
