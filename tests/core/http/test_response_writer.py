"""Prime, close, ping and the time limit: what one request's conversation with its client guarantees."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.responses import Response, StreamingResponse
from tests.core.support import Client, connect, echo, error_of, frames, plugin, post, refusing, talking, until

from ovms_core.calls.observe import Observer, Outcome
from ovms_core.errors import APIError
from ovms_core.http import response_writer
from ovms_core.http.protocol import BoundedProtocol
from ovms_core.plugin import Call, Formatter
from ovms_core.testing import app_with, serving


class Stage:
    """An executor that waits for its cue before every word, and tells when it starts and when it is closed."""

    def __init__(self, words: int = 2) -> None:
        self.words = words
        self.cue = asyncio.Semaphore(0)
        self.started = asyncio.Event()
        self.closed = asyncio.Event()
        self.ended: type[BaseException] | None = None

    async def execute(self, call: Call[Any]) -> AsyncIterator[str]:
        self.started.set()
        try:
            for index in range(self.words):
                await self.cue.acquire()
                yield f"w{index}"
        except BaseException as error:
            self.ended = type(error)
            raise
        finally:
            self.closed.set()


class Watcher(Observer):
    """Keeps the outcomes of calls."""

    def __init__(self) -> None:
        self.outcomes: asyncio.Queue[Outcome] = asyncio.Queue()

    def call_ended(self, call: Call[Any], outcome: Outcome) -> None:
        self.outcomes.put_nowait(outcome)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_early_error_keeps_its_status(stream: bool) -> None:
    teapot = APIError(418, "I am a teapot.", param="text", code="teapot")
    async with serving(app_with(talking(refusing(teapot)))) as url, Client(url) as client:
        answer = await client.say(stream=stream)
        assert answer.status_code == 418
        assert error_of(answer) == {
            "message": "I am a teapot.",
            "type": "invalid_request_error",
            "param": "text",
            "code": "teapot",
        }


async def test_headers_wait_for_the_first_event() -> None:
    stage = Stage()
    async with serving(app_with(talking(stage.execute))) as url, Client(url) as client:
        answer = asyncio.create_task(client.say(stream=True))
        await stage.started.wait()
        await asyncio.sleep(0.1)
        assert not answer.done()
        stage.cue.release()
        stage.cue.release()
        assert frames(await answer) == ["w0", "w1", "[DONE]"]


async def test_a_slow_first_event_gets_headers_after_the_prime_timeout_and_pings() -> None:
    stage = Stage(words=1)
    app = app_with(talking(stage.execute), prime_timeout=0.1, ping_interval=0.1)
    async with (
        serving(app) as url,
        Client(url) as client,
        client.stream("POST", "/v1/talk", json={"stream": True}) as s,
    ):
        assert s.status_code == 200
        assert s.headers["content-type"] == "text/event-stream; charset=utf-8"
        lines = s.aiter_lines()
        assert [await anext(lines) for _ in range(4)] == [": ping", "", ": ping", ""]
        stage.cue.release()
        assert [line async for line in lines if line and line != ": ping"] == ['data: "w0"', "data: [DONE]"]


async def test_a_stream_that_falls_silent_gets_pings_even_before_the_prime_timeout() -> None:
    stage = Stage()
    app = app_with(talking(stage.execute), prime_timeout=60, ping_interval=0.1)
    async with serving(app) as url, Client(url) as client:
        stage.cue.release()
        async with client.stream("POST", "/v1/talk", json={"stream": True}) as answer:
            lines = answer.aiter_lines()
            assert [await anext(lines) for _ in range(3)] == ['data: "w0"', "", ": ping"]


async def test_an_error_after_the_prime_timeout_is_one_frame_and_then_the_end() -> None:
    late = refusing(APIError(400, "Too late for a status.", code="late"), after=0.3)
    async with serving(app_with(talking(late), prime_timeout=0.1)) as url, Client(url) as client:
        answer = await client.say(stream=True)
        assert answer.status_code == 200
        ping, error = frames(answer)
        assert ping == ": ping"
        assert error["error"]["code"] == "late"


async def test_an_error_in_mid_stream_is_one_frame_and_then_the_end() -> None:
    async def break_down(call: Call[Any]) -> AsyncIterator[str]:
        yield "w0"
        raise APIError(503, "The engine is gone.", code="gone")

    async with serving(app_with(talking(break_down))) as url, Client(url) as client:
        first, error = frames(await client.say(stream=True))
        assert first == "w0"
        assert error == {
            "error": {"message": "The engine is gone.", "type": "server_error", "param": None, "code": "gone"}
        }


@pytest.mark.parametrize("stream", [False, True])
async def test_an_unexpected_error_tells_the_client_the_request_id_and_nothing_else(stream: bool) -> None:
    async def break_down(call: Call[Any]) -> AsyncIterator[str]:
        yield "w0"
        raise RuntimeError("/home/secret/place")

    async with serving(app_with(talking(break_down))) as url, Client(url) as client:
        answer = await client.say(stream=stream)
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text
        assert answer.headers["x-request-id"] in answer.text
        assert "internal_error" in answer.text


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("words", [0, 1])
async def test_a_cancellation_from_within_is_a_fault_and_not_the_end_of_the_server(stream: bool, words: int) -> None:
    async def lose_a_task(call: Call[Any]) -> AsyncIterator[str]:
        for index in range(words):
            yield f"w{index}"
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task

    watcher = Watcher()
    async with serving(app_with(talking(lose_a_task, ovms_observe=lambda: watcher))) as url, Client(url) as client:
        answer = await client.say(stream=stream)
        assert answer.status_code == (200 if stream and words else 500)
        error = (frames(answer)[-1] if stream and words else answer.json())["error"]
        assert error["code"] == "internal_error"
        assert answer.headers["x-request-id"] in error["message"]
        assert (await watcher.outcomes.get()).status == 500
        assert (await client.get("/health")).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_closes_the_whole_chain(stream: bool) -> None:
    stage, watcher, outer_closed = Stage(), Watcher(), asyncio.Event()

    async def outer(call: Call[Any], proceed: Any) -> AsyncIterator[Any]:
        try:
            async for event in proceed(call):
                yield event
        finally:
            await asyncio.sleep(0.01)  # a clean-up that takes its time is not cut short
            outer_closed.set()

    plugin = talking(stage.execute, ovms_wrap_execution=lambda: outer, ovms_observe=lambda: watcher)
    async with serving(app_with(plugin)) as url:
        _, writer = await connect(url)
        writer.write(post("/v1/talk", b'{"stream": %b}' % str(stream).lower().encode()))
        await stage.started.wait()
        writer.close()
        async with asyncio.timeout(2):
            await stage.closed.wait()
            await outer_closed.wait()
            assert (await watcher.outcomes.get()).status == 499
        assert stage.ended is asyncio.CancelledError


async def test_a_client_that_leaves_in_mid_stream_closes_the_chain() -> None:
    stage = Stage(words=100)
    stage.cue.release()
    async with serving(app_with(talking(stage.execute))) as url, Client(url) as client:
        async with client.stream("POST", "/v1/talk", json={"stream": True}) as answer:
            assert await anext(answer.aiter_lines()) == 'data: "w0"'
        async with asyncio.timeout(2):
            await stage.closed.wait()


async def test_a_client_that_leaves_while_a_slow_unary_answer_is_sent_harms_nobody() -> None:
    async def long(call: Call[Any]) -> AsyncIterator[str]:
        yield "x" * (64 << 20)

    watcher = Watcher()
    app = app_with(talking(long, ovms_observe=lambda: watcher))
    async with serving(app) as url, Client(url) as client:
        reader, writer = await connect(url)
        writer.write(post("/v1/talk", b"{}"))
        await reader.readline()
        writer.transport.abort()
        async with asyncio.timeout(5):
            await watcher.outcomes.get()
        assert (await client.get("/health")).status_code == 200


async def test_a_complete_answer_is_not_taken_for_a_client_that_left() -> None:
    """A server reports a disconnect once the response is complete; a clean-up must not be cut short by it."""
    watcher, cleaned = Watcher(), asyncio.Event()

    async def lingering(call: Call[Any]) -> AsyncIterator[str]:
        await asyncio.sleep(0.1)  # long enough for the client to be watched
        try:
            yield "w0"
            yield "w1"
        finally:
            await asyncio.sleep(0.1)
            cleaned.set()

    class First(Formatter):
        """Takes one event and leaves the rest."""

        async def unary(self, call: Call[Any], events: AsyncIterator[Any]) -> Any:
            raise NotImplementedError

        async def stream(self, call: Call[Any], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
            async for event in events:
                yield f"data: {event}\n\n".encode()
                return

    plugin = talking(lingering, ovms_observe=lambda: watcher, ovms_formatter=lambda: First())
    async with serving(app_with(plugin)) as url, Client(url) as client:
        assert (await client.say(stream=True)).text == "data: w0\n\n"
        outcome = await watcher.outcomes.get()
        assert cleaned.is_set()
        assert outcome.status == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_middleware_that_goes_on_after_the_last_byte_is_not_taken_for_a_client_that_left(stream: bool) -> None:
    watcher, went_on = Watcher(), asyncio.Event()

    async def lasting(call: Call[Any]) -> AsyncIterator[str]:
        await asyncio.sleep(0.1)  # long enough for the client to be watched
        yield "w0"

    async def accounting(app: Any, scope: Any, receive: Any, send: Any) -> None:
        async def late(message: Any) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                await asyncio.sleep(0.05)
                went_on.set()

        await app(scope, receive, late)

    plugin = talking(
        lasting,
        ovms_observe=lambda: watcher,
        ovms_wrap_app=lambda: lambda app: lambda *asgi: accounting(app, *asgi),
    )
    async with serving(app_with(plugin)) as url, Client(url) as client:
        assert (await client.say(stream=stream)).status_code == 200
        assert (await watcher.outcomes.get()).status == 200
        assert went_on.is_set()


async def test_a_unary_request_over_its_time_is_a_504() -> None:
    stage = Stage()
    async with serving(app_with(talking(stage.execute), request_timeout=0.2)) as url, Client(url) as client:
        answer = await client.say()
        assert answer.status_code == 504
        assert error_of(answer)["message"] == "The request took longer than 0.2 s (request_timeout)."
        assert stage.closed.is_set()


async def test_a_stream_over_its_time_ends_with_an_error_frame() -> None:
    stage = Stage()
    stage.cue.release()
    async with serving(app_with(talking(stage.execute), request_timeout=0.2)) as url, Client(url) as client:
        first, error = frames(await client.say(stream=True))
        assert first == "w0"
        assert error["error"]["code"] == "request_timeout"
        assert stage.closed.is_set()


@pytest.mark.parametrize("pause", [0.0, 60.0])  # the next frame is stuck, or a ping is
async def test_a_stream_whose_client_stops_reading_ends_soon_after_its_time_is_up(
    pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_writer, "LAST_WORDS", 0.1)

    async def gushing(call: Call[Any]) -> AsyncIterator[str]:
        while True:
            yield "x" * (16 << 20)
            await asyncio.sleep(pause)

    watcher = Watcher()
    app = app_with(talking(gushing, ovms_observe=lambda: watcher), request_timeout=0.3, ping_interval=0.02)
    async with serving(app) as url:
        monkeypatch.setattr(BoundedProtocol, "_watch_reader", lambda self: None)  # does not come to help
        _, writer = await connect(url, receive_buffer=4096)
        writer.write(post("/v1/talk", b'{"stream": true}'))
        async with asyncio.timeout(5):
            assert (await watcher.outcomes.get()).error == "request_timeout"
        await until(lambda: app.server.admission.in_flight == 0)
        writer.transport.abort()


async def test_a_stream_that_never_began_is_a_504_over_its_time() -> None:
    stage = Stage()
    async with serving(app_with(talking(stage.execute), request_timeout=0.2)) as url, Client(url) as client:
        assert (await client.say(stream=True)).status_code == 504


async def test_an_error_is_not_turned_into_a_stream_by_a_ping_while_the_chain_closes() -> None:
    async def lingering(call: Call[Any]) -> AsyncIterator[str]:
        try:
            yield "w0"
            yield "w1"
        finally:
            await asyncio.sleep(0.4)

    class Picky(Formatter):
        async def unary(self, call: Call[Any], events: AsyncIterator[Any]) -> Any:
            raise NotImplementedError

        async def stream(self, call: Call[Any], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
            async for event in events:
                raise APIError(400, f"No {event}.", code="no")
            yield b""

    plugin = talking(lingering, ovms_formatter=lambda: Picky())
    async with serving(app_with(plugin, prime_timeout=0.2, ping_interval=0.01)) as url, Client(url) as client:
        assert (await client.say(stream=True)).status_code == 400


async def test_a_first_frame_waits_for_the_headers_that_a_ping_has_begun_to_send() -> None:
    async def slow_headers(app: Any, scope: Any, receive: Any, send: Any) -> None:
        async def late(message: Any) -> None:
            if message["type"] == "http.response.start":
                await asyncio.sleep(0.3)
            await send(message)

        await app(scope, receive, late)

    async def hesitant(call: Call[Any]) -> AsyncIterator[str]:
        await asyncio.sleep(0.3)
        yield "w0"

    plugin = talking(hesitant, ovms_wrap_app=lambda: lambda app: lambda *asgi: slow_headers(app, *asgi))
    async with serving(app_with(plugin, prime_timeout=0.15, ping_interval=0.1)) as url, Client(url) as client:
        events = frames(await client.say(stream=True))
        assert [event for event in events if event != ": ping"] == ["w0", "[DONE]"]


async def test_pings_never_come_between_the_bytes_of_frames_nor_after_the_end() -> None:
    async def busy(call: Call[Any]) -> AsyncIterator[str]:
        for index in range(40):
            await asyncio.sleep(0.005)
            yield f"w{index}"

    async def slow_send(app: Any, scope: Any, receive: Any, send: Any) -> None:
        async def late(message: Any) -> None:
            await asyncio.sleep(0.004)
            await send(message)

        await app(scope, receive, late)

    def wrap_app() -> Any:
        return lambda app: lambda *asgi: slow_send(app, *asgi)

    plugin = talking(busy, ovms_wrap_app=wrap_app)
    async with serving(app_with(plugin, prime_timeout=0.001, ping_interval=0.001)) as url, Client(url) as client:
        for _ in range(3):
            events = frames(await client.say(stream=True))
            assert [event for event in events if event != ": ping"] == [*(f"w{index}" for index in range(40)), "[DONE]"]
            assert ": ping" in events


async def test_x_ignored_params_is_said_in_both_modes() -> None:
    async with serving(app_with(talking(echo))) as url, Client(url) as client:
        for stream in (False, True):
            answer = await client.say(text="hi", metadata={"a": "b"}, stream=stream)
            assert answer.headers["x-ignored-params"] == "metadata"
        assert "x-ignored-params" not in (await client.say(text="hi")).headers


async def test_unknown_fields_are_refused_where_the_client_or_the_server_wants_that() -> None:
    async with serving(app_with(talking(echo))) as url, Client(url) as client:
        assert (await client.say(text="hi", keep_alive=1)).headers["x-ignored-params"] == "keep_alive"
        client.headers["x-strict"] = "1"
        assert error_of(await client.say(text="hi", keep_alive=1))["param"] == "keep_alive"
    async with serving(app_with(talking(echo), unknown_fields="reject")) as url, Client(url) as client:
        assert error_of(await client.say(text="hi", keep_alive=1))["code"] == "unknown_field"


async def test_warnings_of_an_execution_reach_the_client_in_both_modes() -> None:
    async def warn(call: Call[Any]) -> AsyncIterator[str]:
        call.warnings.append("Document 2 is blank.")
        call.ignored.append("text")
        yield "w0"

    async with serving(app_with(talking(warn))) as url, Client(url) as client:
        for stream in (False, True):
            answer = await client.say(text="hi", stream=stream)
            assert (answer.headers["x-warnings"], answer.headers["x-ignored-params"]) == (
                "Document 2 is blank.",
                "text",
            )


async def test_a_formatter_may_answer_with_a_streaming_response() -> None:
    class Raw(Formatter):
        async def unary(self, call: Call[Any], events: AsyncIterator[Any]) -> StreamingResponse:
            return StreamingResponse(events, media_type="text/plain")

        def stream(self, call: Call[Any], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
            raise NotImplementedError

    app = app_with(talking(echo), plugin("raw", ovms_formatter=lambda: Raw()))
    async with serving(app) as url, Client(url) as client:
        assert (await client.say(text="a b c")).text == "abc"


class Lines(Formatter):
    """Answers in lines of JSON."""

    stream_media_type = "application/x-ndjson"
    keep_alive: bytes | None = b"\n"

    async def unary(self, call: Call[Any], events: AsyncIterator[Any]) -> Response:
        return await call.endpoint.unary(call, events)

    async def stream(self, call: Call[Any], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
        async for event in events:
            yield json.dumps(event).encode() + b"\n"

    def error(self, call: Call[Any], error: APIError) -> bytes | None:
        return error.document() + b"\n"


class Sound(Lines):
    """Answers in bytes that mean something as a whole, of the kind that the request names."""

    stream_media_type = "audio/wav"
    keep_alive: bytes | None = None

    async def stream(self, call: Call[Any], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
        async for event in events:
            yield f"<{event}>".encode()

    def stream_headers(self, call: Call[Any]) -> dict[str, str]:
        return {"content-type": f"audio/{call.body.text}" if call.body.text else self.stream_media_type}

    def error(self, call: Call[Any], error: APIError) -> None:
        return None


async def test_a_stream_of_lines_keeps_itself_alive_with_empty_ones_and_ends_with_an_error_line() -> None:
    async def break_down(call: Call[Any]) -> AsyncIterator[str]:
        await asyncio.sleep(0.3)
        yield "w0"
        raise APIError(503, "The engine is gone.", code="gone")

    app = app_with(talking(break_down, ovms_formatter=lambda: Lines()), prime_timeout=0.1, ping_interval=0.1)
    async with serving(app) as url, Client(url) as client:
        answer = await client.say(stream=True)
        assert answer.headers["content-type"] == "application/x-ndjson"
        empty, *rest = answer.text.splitlines()
        first, error = (json.loads(line) for line in rest if line)
        assert (empty, first, error["error"]["code"]) == ("", "w0", "gone")
        described = (await client.get("/openapi.json")).json()["paths"]["/talk"]["post"]["responses"]["200"]
        assert list(described["content"]) == ["application/json", "application/x-ndjson"]


async def test_a_stream_without_anything_to_keep_it_alive_is_silent_until_its_first_frame() -> None:
    stage = Stage()
    app = app_with(talking(stage.execute, ovms_formatter=lambda: Sound()), prime_timeout=0.05, ping_interval=0.05)
    async with serving(app) as url, Client(url) as client:
        answer = asyncio.create_task(client.say(text="ogg", stream=True))
        await stage.started.wait()
        await asyncio.sleep(0.2)  # beyond the prime timeout
        assert not answer.done()
        stage.cue.release()
        stage.cue.release()
        assert ((await answer).headers["content-type"], (await answer).text) == ("audio/ogg", "<w0><w1>")


async def test_a_late_error_keeps_its_status_where_nothing_keeps_the_stream_alive() -> None:
    late = refusing(APIError(418, "I am a teapot.", code="teapot"), after=0.2)
    app = app_with(talking(late, ovms_formatter=lambda: Sound()), prime_timeout=0.05, ping_interval=0.05)
    async with serving(app) as url, Client(url) as client:
        assert (await client.say(stream=True)).status_code == 418


async def test_a_stream_that_cannot_tell_an_error_breaks_off() -> None:
    async def break_down(call: Call[Any]) -> AsyncIterator[str]:
        yield "w0"
        raise APIError(503, "The engine is gone.", code="gone")

    watcher = Watcher()
    plugin = talking(break_down, ovms_formatter=lambda: Sound(), ovms_observe=lambda: watcher)
    async with serving(app_with(plugin)) as url, Client(url) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.say(stream=True)
        assert (await watcher.outcomes.get()).error == "gone"
        assert (await client.get("/health")).status_code == 200


async def test_headers_alone_may_go_out_early() -> None:
    class Early(Sound):
        keep_alive = b""

    stage = Stage(words=1)
    app = app_with(talking(stage.execute, ovms_formatter=lambda: Early()), prime_timeout=0.05)
    async with (
        serving(app) as url,
        Client(url) as client,
        client.stream("POST", "/v1/talk", json={"stream": True}) as answer,
    ):
        assert answer.headers["content-type"] == "audio/wav"
        stage.cue.release()
        assert await answer.aread() == b"<w0>"
