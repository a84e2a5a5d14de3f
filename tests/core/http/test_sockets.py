"""WebSockets: on the same gate as requests, refused as they are, and closed with a code that says why."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket
from tests.core.support import Client, echo, error_of, plugin, raw, talking, until
from uvicorn import Config
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from ovms_core.app import Application
from ovms_core.plugin import APIError, WebSocketRoute
from ovms_core.serve import configure
from ovms_core.testing import Script, Word, app_with, scripted_model, scripted_plugin, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = {"alice": "secret-a"}
BEARER = {"authorization": "Bearer secret-a"}


async def repeat(websocket: WebSocket) -> None:
    await websocket.accept(subprotocol="chat" if "chat" in websocket["subprotocols"] else None)
    async for text in websocket.iter_text():
        await websocket.send_text(text)


async def generate(websocket: WebSocket) -> None:
    """Every message is a number: so many words of the model."""
    await websocket.accept()
    model = websocket.app.server.models.resolve("scripted", "scripted")
    async for text in websocket.iter_text():
        async with aclosing(model.submit(Script(count=int(text)))) as events:
            async for event in events:
                if isinstance(event, Word):
                    await websocket.send_text(event.text)
        await websocket.send_text("done")


async def who(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json({"user": websocket.state.user, "id": websocket.state.request_id})


async def refuse(websocket: WebSocket) -> None:
    raise APIError(429, "Too many sockets.", code="too_many", retry_after=7)


async def close_first(websocket: WebSocket) -> None:
    await websocket.close(reason="not today")


async def forget(websocket: WebSocket) -> None:
    await websocket.receive()


async def fail(websocket: WebSocket) -> None:
    await websocket.accept()
    raise ValueError("a slip of its author")


async def busy(websocket: WebSocket) -> None:
    await websocket.accept()
    raise APIError(503, "The model is busy.", code="overloaded")


async def bye(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close(4321, "bye")


async def item(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(websocket.path_params["name"])


HANDLERS = [repeat, generate, who, refuse, close_first, forget, fail, busy, bye]


def sockets() -> Any:
    routes = [WebSocketRoute(f"/{each.__name__}", each) for each in HANDLERS]
    routes += [WebSocketRoute("/open", repeat, public=True), WebSocketRoute("/items/{name}", item, prefixed=True)]
    return plugin("sockets", ovms_register_routes=lambda: routes)


@pytest.fixture(scope="module")
def app() -> Application:
    return app_with(
        sockets(),
        scripted_plugin,
        talking(echo),
        models=[scripted_model()],
        api_keys=KEYS,
        cors_origins=["https://app.example.org"],
        max_body_size=100_000,
        access_log=True,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(app: Application) -> AsyncIterator[str]:
    async with serving(app) as url:
        yield url


def opened(url: str, path: str, **options: Any) -> connect:
    """A connection to `path`, with the key unless other headers are given."""
    headers = options.pop("additional_headers", BEARER)
    address = url.replace("http", "ws", 1) + path
    return connect(address, additional_headers=headers, proxy=None, compression=None, **options)


async def refused(url: str, path: str, **options: Any) -> httpx.Response:
    """The answer to a connection that is refused."""
    with pytest.raises(InvalidStatus) as caught:
        async with opened(url, path, **options):
            pass
    answer = caught.value.response
    return httpx.Response(answer.status_code, headers=list(answer.headers.raw_items()), content=bytes(answer.body))


async def closed(connection: ClientConnection) -> tuple[int, str]:
    """The code and reason with which the server closes."""
    with pytest.raises(ConnectionClosed) as caught:
        await connection.recv()
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


async def test_messages_go_both_ways(url: str) -> None:
    async with opened(url, "/repeat") as socket:
        for text in ("hello", "", "x" * 90_000):
            await socket.send(text)
            assert await socket.recv() == text


async def test_a_model_answers_over_a_socket_and_several_times(url: str) -> None:
    async with opened(url, "/generate") as socket:
        for count in (3, 1):
            await socket.send(str(count))
            said = [await socket.recv() for _ in range(count + 1)]
            assert said[-1] == "done"
            assert str(said[0]).strip() == "w0"


async def test_a_path_has_parameters_and_prefixes(url: str) -> None:
    for path in ("/v1/items/one", "/v3/items/one", "//v1//items/one"):
        async with opened(url, path) as socket:
            assert await socket.recv() == "one"


async def test_the_handler_knows_the_user_and_the_request_id_which_the_answer_carries(url: str) -> None:
    async with opened(url, "/who", additional_headers={**BEARER, "x-request-id": "my-id"}) as socket:
        assert json.loads(await socket.recv()) == {"user": "alice", "id": "my-id"}
        assert socket.response is not None
        assert socket.response.headers["x-request-id"] == "my-id"
        assert await closed(socket) == (1000, "")


@pytest.mark.parametrize(
    ("headers", "code"),
    [({}, "missing_api_key"), ({"authorization": "Bearer no"}, "invalid_api_key")],
)
async def test_without_a_key_a_connection_is_refused_in_the_one_error_shape(
    url: str, headers: dict[str, str], code: str
) -> None:
    answer = await refused(url, "/repeat", additional_headers=headers)
    assert answer.status_code == 401
    assert error_of(answer)["code"] == code
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["x-request-id"]


async def test_a_browser_gives_its_key_among_the_subprotocols(url: str) -> None:
    offer = [Subprotocol("chat"), Subprotocol("openai-insecure-api-key.secret-a")]
    async with opened(url, "/repeat", additional_headers={}, subprotocols=offer) as socket:
        assert socket.subprotocol == "chat"
    async with opened(url, "/who", additional_headers={}, subprotocols=offer[1:]) as socket:
        assert json.loads(await socket.recv())["user"] == "alice"
    wrong = [Subprotocol("openai-insecure-api-key.no")]
    answer = await refused(url, "/repeat", additional_headers={}, subprotocols=wrong)
    assert error_of(answer)["code"] == "invalid_api_key"


async def test_a_public_socket_asks_for_no_key(url: str) -> None:
    async with opened(url, "/open", additional_headers={}) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"


async def test_pages_of_other_origins_may_connect_if_the_setting_names_them(url: str) -> None:
    for origin in ("https://app.example.org", url):
        async with opened(url, "/repeat", origin=Origin(origin)) as socket:
            assert socket.response is not None
    for origin in ("https://evil.example.org", "null", "http://[", f"{url}0"):
        answer = await refused(url, "/repeat", origin=Origin(origin))
        assert (answer.status_code, error_of(answer)["code"]) == (403, "origin_refused")


async def test_where_there_is_no_socket_the_offer_is_ignored(url: str) -> None:
    answer = await refused(url, "/nowhere")
    assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown_route")
    answer = await refused(url, "/v1/models")
    assert (answer.status_code, answer.json()["object"]) == (200, "list")


async def test_a_request_for_the_path_of_a_socket_is_told_what_it_is(url: str) -> None:
    async with Client(url, headers=BEARER) as client:
        answer = await client.get("/repeat")
    assert (answer.status_code, error_of(answer)["code"]) == (426, "websocket_required")
    assert answer.headers["upgrade"] == "websocket"


async def test_a_handshake_that_is_none_is_a_request(url: str) -> None:
    offer = b"GET /open HTTP/1.1\r\nauthorization: Bearer secret-a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    key = b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    version = b"sec-websocket-version: 13\r\n"
    last = b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"
    for headers in (b"", key, version, key + b"sec-websocket-version: 8\r\n", version + b"sec-websocket-key: a\r\n"):
        answer = await raw(url, offer + headers + b"\r\n" + last)
        assert answer.startswith(b"HTTP/1.1 426 "), headers
        assert b"HTTP/1.1 401 " in answer
    answer = await raw(url, offer + key + version + b"content-length: 4\r\n\r\nbody" + last)
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert b"HTTP/1.1 401 " in answer
    one_too_soon = b"GET /health HTTP/1.1\r\nhost: test\r\n\r\n" + offer + key + version + b"\r\n"
    answer = await raw(url, one_too_soon, end=True)
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_handler_refuses_with_an_error_or_by_closing_before_it_accepts(url: str) -> None:
    answer = await refused(url, "/refuse")
    assert (answer.status_code, error_of(answer)["code"], answer.headers["retry-after"]) == (429, "too_many", "7")
    answer = await refused(url, "/close_first")
    assert (answer.status_code, error_of(answer)["message"]) == (403, "not today")


async def test_a_handler_that_never_accepts_is_a_fault(url: str, caplog: pytest.LogCaptureFixture) -> None:
    answer = await refused(url, "/forget")
    assert (answer.status_code, error_of(answer)["code"]) == (500, "internal_error")
    assert "plugin 'sockets', WEBSOCKET /forget: RuntimeError: the handler of a WebSocket returned" in caplog.text


async def test_a_handler_that_raises_closes_with_1011_and_the_log_says_where(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(url, "/fail", additional_headers={**BEARER, "x-request-id": "my-id"}) as socket:
        code, reason = await closed(socket)
    assert code == 1011
    assert reason == "The server failed on this request. If you report this, include the request id my-id."
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    told = "request my-id failed: plugin 'sockets', WEBSOCKET /fail: ValueError: a slip of its author at "
    assert told in errors[0].getMessage()
    assert "test_sockets.py:" in errors[0].getMessage()


async def test_a_handler_closes_as_it_likes_and_an_api_error_has_a_code(url: str) -> None:
    async with opened(url, "/bye") as socket:
        assert await closed(socket) == (4321, "bye")
    async with opened(url, "/busy") as socket:
        assert await closed(socket) == (1013, "The model is busy.")


async def test_a_message_over_max_body_size_closes_with_1009(url: str) -> None:
    async with opened(url, "/repeat") as socket:
        await socket.send("x" * 100_001)
        code, _ = await closed(socket)
    assert code == 1009


async def test_the_access_log_has_a_line_when_it_is_over(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with opened(url, "/repeat?secret=query"):
            pass
        await refused(url, "/repeat?secret=query", additional_headers={"authorization": "Bearer stranger"})
        await until(lambda: sum(record.name == "ovms.access" for record in caplog.records) == 2)
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "ovms.access"]
    told = [(line["method"], line["path"], line["status"], line["user"]) for line in lines]
    assert sorted(told, key=lambda each: each[2]) == [
        ("WEBSOCKET", "/repeat", 101, "alice"),
        ("WEBSOCKET", "/repeat", 401, None),
    ]
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("websockets.client")]
    assert not [line for line in ours if "secret" in line or "stranger" in line]


async def test_an_open_socket_is_a_request_in_flight_and_one_over_max_requests_is_refused() -> None:
    app = app_with(sockets(), max_requests=2)
    async with serving(app) as url:
        async with opened(url, "/repeat"), opened(url, "/repeat"):
            assert app.server.admission.in_flight == 2
            answer = await refused(url, "/repeat")
            assert (answer.status_code, error_of(answer)["code"]) == (503, "overloaded")
            async with Client(url) as client:
                assert (await client.get("/health")).status_code == 200
        await until(lambda: app.server.admission.in_flight == 0)
        async with opened(url, "/repeat"):
            pass


async def test_at_the_end_of_the_drain_timeout_an_open_socket_is_closed_with_1001() -> None:
    app = app_with(sockets(), drain_timeout=1)
    served = serving(app)
    url = await served.__aenter__()
    async with opened(url, "/repeat") as socket:
        app.server.admission.draining = True
        ending = asyncio.create_task(served.__aexit__(None, None, None))
        await socket.send("still served")
        assert await socket.recv() == "still served"
        assert await closed(socket) == (1001, "The server is shutting down.")
    await ending


async def test_a_client_that_leaves_frees_its_place(app: Application, url: str) -> None:
    async with opened(url, "/repeat") as socket:
        socket.transport.abort()
    await until(lambda: app.server.admission.in_flight == 0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that pings every 50 ms, and waits no longer for the answer."""

    def configured(app: Application) -> Config:
        config = configure(app)
        config.ws_ping_interval = config.ws_ping_timeout = 0.05
        return config

    monkeypatch.setattr("ovms_core.testing.client.configure", configured)


HANDSHAKE = (
    b"GET /open HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n\r\n"
)


@pytest.mark.usefixtures("impatient")
async def test_a_client_that_answers_no_ping_is_given_up() -> None:
    app = app_with(sockets())
    async with serving(app) as url:
        answer = await raw(url, HANDSHAKE)
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(b"keepalive ping timeout")


@pytest.mark.usefixtures("impatient")
async def test_a_client_that_sends_ahead_of_a_busy_handler_is_not_given_up() -> None:
    """What it sends is not read meanwhile, and neither are its answers to pings."""
    go = asyncio.Event()

    async def slow(websocket: WebSocket) -> None:
        await websocket.accept()
        for _ in range(2):
            text = await websocket.receive_text()
            await go.wait()
            await websocket.send_text(text)

    busy = plugin("busy", ovms_register_routes=lambda: [WebSocketRoute("/slow", slow)])
    async with serving(app_with(busy)) as url, opened(url, "/slow") as socket:
        await socket.send("one")
        await socket.send("two")
        await asyncio.sleep(0.3)  # several pings
        go.set()
        assert [await socket.recv(), await socket.recv()] == ["one", "two"]


async def test_headers_that_the_library_does_not_read_are_refused_and_not_left_without_an_answer(url: str) -> None:
    for more in (b"cookie: %b\r\n" % (b"a" * 9000), b"a: b\r\n" * 200):
        answer = await raw(url, HANDSHAKE.replace(b"host: test\r\n", b"host: test\r\n" + more))
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert b'"headers_too_large"' in answer


async def test_a_handshake_that_is_not_ascii_is_none(url: str, caplog: pytest.LogCaptureFixture) -> None:
    offer = HANDSHAKE.replace(b"host: test", b"host: test\r\nconnection: close\r\nsec-websocket-protocol: \xff")
    answer = await raw(url, offer)
    assert answer.startswith(b"HTTP/1.1 401 ")  # as every request for this path without a key
    assert not caplog.records


async def test_what_clients_do_wrong_is_no_error_in_the_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    await refused(url, "/repeat", additional_headers={})
    await refused(url, "/close_first")
    for frames in (b"\x81\xff\x7f" + b"\xff" * 7 + b"mask", b"\x83\x05hello"):
        async with opened(url, "/repeat") as socket:
            socket.transport.write(frames)
            assert (await closed(socket))[0] in (1002, 1009)
    async with opened(url, "/repeat") as socket:
        await socket.send("x" * 100_001)
        assert (await closed(socket))[0] == 1009
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_what_is_sent_before_it_is_accepted_waits(url: str) -> None:
    """Or ends the connection: it is against the protocol."""
    masked = b"\x81\x82\x00\x00\x00\x00hi" + b"\x88\x80\x00\x00\x00\x00"
    answer = await raw(url, HANDSHAKE, masked, end=True)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 ")


async def test_an_authenticator_guards_sockets_too() -> None:
    async def ask(connection: HTTPConnection) -> str | None:
        return connection.headers["authorization"].removeprefix("Bearer ").upper() if connection.headers else None

    guard = plugin("guard", ovms_authenticate=lambda: ask)
    async with serving(app_with(sockets(), guard)) as url:
        offer = [Subprotocol("openai-insecure-api-key.carol")]
        async with opened(url, "/who", additional_headers={}, subprotocols=offer) as socket:
            assert json.loads(await socket.recv())["user"] == "CAROL"


async def test_a_server_without_the_extension_is_told_to_close() -> None:
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "websocket", "path": "/nowhere", "headers": []}
    await app_with()(scope, asyncio.Event().wait, send)  # type: ignore[arg-type]
    assert said == [{"type": "websocket.close", "code": 1008, "reason": "There is no /nowhere here."}]
