"""The examples of the hook reference do what the page says."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import httpx
import pytest
import typer
from tests.docs.pages import SNIPPETS
from typer.testing import CliRunner
from websockets.asyncio.client import connect

from ovms_core.testing import app_with, connected, serving


def example(name: str) -> ModuleType:
    """The module of a snippet."""
    file = SNIPPETS / f"{name}.py"
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def served(*names: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server with these examples."""
    app = app_with(*(example(name) for name in names))
    assert [report.reason for report in app.server.plugins if report.state != "active"] == []
    async with serving(app) as url, httpx.AsyncClient(base_url=url) as client:
        yield client


async def test_the_smallest_endpoint_shouts() -> None:
    async with served("shout/shout") as client:
        answer = await client.post("/v1/shout", json={"text": "hello there"})
        stream = await client.post("/v1/shout", json={"text": "hello there", "stream": True})
    assert answer.json() == {"text": "HELLO THERE"}
    assert stream.text == 'data: "HELLO"\n\ndata: "THERE"\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("name", ["tasks", "sources"])
async def test_what_is_registered_is_accepted(name: str) -> None:
    async with served(f"hooks/{name}") as client:
        assert (await client.get("/health")).status_code == 200


async def test_a_plugin_reads_its_own_settings() -> None:
    app = app_with(example("hooks/settings"), plugins={"settings": {"limit": 3}})
    async with connected(app) as client:
        assert (await client.get("/notes/limit")).json() == {"limit": 3}


async def test_an_endpoint_may_have_no_body() -> None:
    async with served("hooks/endpoints") as client:
        answer = await client.get("/v3/limits")
    assert answer.json() == {"max_body_size": 33554432, "request_timeout": 3600.0}


async def test_an_endpoint_waits_and_computes_beside_the_event_loop() -> None:
    async with served("hooks/off_the_loop") as client:
        answer = (await client.get("/v1/source")).json()
    assert answer["text"].startswith('"""An endpoint that waits and computes')
    assert len(answer["fingerprint"]) == 128


async def test_a_web_socket_shouts_back() -> None:
    async with served("hooks/sockets") as client:
        url = str(client.base_url).replace("http", "ws", 1)
        async with connect(f"{url}/v1/shout/live", proxy=None) as socket:
            await socket.send("hello there")
            assert [await socket.recv(), await socket.recv()] == ["HELLO", "THERE"]


async def test_an_application_answers_under_a_path() -> None:
    async with served("hooks/mount") as client:
        assert (await client.get("/studio/")).text == "The studio"


async def test_an_authenticator_knows_the_users_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tokens"
    file.write_text("ada one-token\n\nbob another-token\n")
    monkeypatch.setenv("TOKEN_FILE", str(file))
    async with served("hooks/authenticate") as client:
        for token, status in (("one-token", 200), ("another-token", 200), ("wrong", 401)):
            answer = await client.get("/v1/models", headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == status


async def test_an_authenticator_believes_signed_tokens_until_their_time() -> None:
    signature = example("hooks/signed").signature
    good, old = (f"{claim}.{signature(claim)}" for claim in (f"ada.{int(time.time()) + 3600}", "ada.1"))
    async with served("hooks/signed") as client:
        for token, code in ((old, "token_expired"), (f"bob{good[3:]}", "invalid_api_key"), ("ä", "invalid_api_key")):
            answer = await client.get("/v1/models", headers={b"authorization": f"Bearer {token}".encode()})
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
        answer = await client.get("/v1/models", headers={"authorization": f"Bearer {good}"})
        assert answer.status_code == 200


async def test_a_parser_reads_another_field_name() -> None:
    async with served("shout/shout", "hooks/parser") as client:
        answer = await client.post("/v1/shout", json={"sentence": "hello"})
        wrong = await client.post("/v1/shout", json=["hello"])
    assert answer.json() == {"text": "HELLO"}
    assert wrong.json()["error"]["code"] == "invalid_json"


async def test_a_parser_leaves_errors_to_the_core() -> None:
    async with served("shout/shout", "hooks/parser") as client:
        answer = await client.post("/v1/shout", content=b"{", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


async def test_an_executor_does_something_else() -> None:
    async with served("shout/shout", "hooks/executor") as client:
        answer = await client.post("/v1/shout", json={"text": "HELLO"})
    assert answer.json() == {"text": "hello"}


async def test_a_formatter_answers_in_plain_text() -> None:
    async with served("shout/shout", "hooks/formatter") as client:
        answer = await client.post("/v1/shout", json={"text": "hello there"})
        stream = await client.post("/v1/shout", json={"text": "hello there", "stream": True})
    assert answer.text == "HELLO THERE"
    assert stream.text == "data: HELLO\n\ndata: THERE\n\n"


async def test_a_formatter_streams_lines_of_json() -> None:
    async with served("shout/shout", "hooks/json_lines") as client:
        answer = await client.post("/v1/shout", json={"text": "hello there"})
        stream = await client.post("/v1/shout", json={"text": "hello there", "stream": True})
    assert answer.json() == {"text": "HELLO THERE"}
    assert stream.headers["content-type"] == "application/x-ndjson"
    assert stream.text == '"HELLO"\n"THERE"\n'


@pytest.mark.parametrize("stream", [False, True])
async def test_a_guard_refuses_in_both_modes(stream: bool) -> None:
    async with served("shout/shout", "hooks/guard") as client:
        refused = await client.post("/v1/shout", json={"text": "abracadabra", "stream": stream})
        allowed = await client.post("/v1/shout", json={"text": "hello", "stream": stream})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "policy_violation")
    assert "HELLO" in allowed.text


async def test_middleware_adds_a_header() -> None:
    async with served("shout/shout", "hooks/middleware") as client:
        answer = await client.post("/v1/shout", json={"text": "hello"})
    assert answer.headers["x-region"] == "north"


async def test_middleware_around_the_server_counts_refused_requests_too() -> None:
    counting = example("hooks/server")
    async with connected(app_with(counting, api_keys={"ada": "key"})) as client:
        await client.get("/v1/models")
        await client.get("/v1/models", headers={"authorization": "Bearer key"})
    assert counting.STATUSES == {401: 1, 200: 1}


async def test_a_plain_route_shows_the_models() -> None:
    async with served("hooks/routes") as client:
        assert (await client.get("/admin/states")).json() == {}
        assert "The state of every model." in (await client.get("/docs")).text


async def test_a_plugin_shows_what_it_counts() -> None:
    async with served("shout/shout", "hooks/metrics") as client:
        await client.post("/v1/shout", json={"text": "hello"})
        assert 'my_calls_total{user=""} 1.0' in (await client.get("/metrics")).text


async def test_a_background_task_runs_while_the_server_does() -> None:
    app = app_with(example("hooks/background"))
    async with connected(app):
        await asyncio.sleep(0)
        assert app.state.my_models == []


async def test_an_observer_logs_every_call(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="my_calls")
    async with served("shout/shout", "hooks/observer") as client:
        await client.post("/v1/shout", json={"text": "hello"}, headers={"x-request-id": "one"})
    assert [record.getMessage().split()[:4] for record in caplog.records if record.name == "my_calls"] == [
        ["one", "None", "/shout", "200"]
    ]


async def test_a_lifespan_is_open_while_the_server_runs() -> None:
    app = app_with(example("hooks/lifespan"))
    async with serving(app):
        assert not app.state.my_pool.is_closed
    assert app.state.my_pool.is_closed


def test_a_command_is_added() -> None:
    cli = typer.Typer()
    cli.callback()(lambda: None)
    example("hooks/commands").ovms_register_commands(cli)
    assert CliRunner().invoke(cli, ["greet", "Ada"]).output == "Hello, Ada!\n"
