"""Which plugin's wrapper stands outside of which: the plugins say it, or the operator does; their names never do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from tests.core.support import Client, echo, plugin, talking

from ovms_core.errors import PluginError
from ovms_core.plugin import APIError, Call, Executor, hookimpl
from ovms_core.plugin_loading.loader import load_plugins
from ovms_core.plugin_loading.nesting import nestings
from ovms_core.plugin_loading.offerings import gather
from ovms_core.settings import PluginSettings, Settings
from ovms_core.testing import app_with, connected, serving

WRAPPING = ["ovms_wrap_execution", "ovms_wrap_app", "ovms_wrap_server"]


async def guard(call: Call[Any], proceed: Executor) -> AsyncIterator[Any]:
    """Everybody gets an answer but Mallory."""
    if "mallory" in call.texts():
        raise APIError(400, "No.", code="policy_violation")
    async with aclosing(proceed(call)) as events:  # type: ignore[type-var]
        async for event in events:
            yield event


async def cache(call: Call[Any], proceed: Executor) -> AsyncIterator[Any]:
    """It knows every answer already."""
    yield "known"


def wrapping(name: str, wrap: Any, hook: str = "ovms_wrap_execution", **place: Any) -> SimpleNamespace:
    """A plugin that answers `hook` with `wrap`, and says where that belongs."""
    return SimpleNamespace(
        __name__=name, **{hook: hookimpl(**place)(lambda: wrap) if place else hookimpl(lambda: wrap)}
    )


def marking(name: str, hook: str, **place: Any) -> SimpleNamespace:
    """A plugin that adds its name to what comes out, at any of the hooks that wrap."""

    async def intercept(call: Call[Any], proceed: Executor) -> AsyncIterator[Any]:
        yield f"{name} "
        async with aclosing(proceed(call)) as events:  # type: ignore[type-var]
            async for event in events:
                yield event

    def middleware(app: Any) -> Any:
        async def outside(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("test.order", []).append(name)

            async def send_with_order(message: Any) -> None:
                if message["type"] == "http.response.start" and scope["test.order"][0] == name:
                    order = " ".join(scope["test.order"]).encode()
                    message["headers"] = [*message["headers"], (b"x-order", order)]
                await send(message)

            await app(scope, receive, send_with_order)

        return outside

    return wrapping(name, intercept if hook == "ovms_wrap_execution" else middleware, hook, **place)


async def order_of(hook: str, *plugins: object, order: list[str]) -> list[str]:
    """The names of the plugins, outermost first, as a request met them."""
    app = app_with(talking(echo), *plugins, plugins=PluginSettings(order=order))
    async with connected(app) as client:
        answer = await client.post("/v1/talk", json={"text": ""})
    assert answer.status_code == 200, answer.text
    text: str = answer.json()["text"] if hook == "ovms_wrap_execution" else answer.headers["x-order"]
    return text.split()


@pytest.mark.parametrize("order", [[], ["guard"], ["guard", "a-cache"]])
async def test_a_cache_that_says_so_is_inside_of_the_guard_whatever_their_names(order: list[str]) -> None:
    plugins = [wrapping("a-cache", cache, nests="inside"), wrapping("guard", guard, nests="outside")]
    app = app_with(talking(echo), *plugins, plugins=PluginSettings(order=order))
    async with connected(app) as client:
        assert (await client.post("/v1/talk", json={"text": "alice"})).json() == {"text": "known"}
        assert (await client.post("/v1/talk", json={"text": "mallory"})).status_code == 400


def test_a_cache_and_a_guard_that_must_not_be_swapped_are_not() -> None:
    plugins = [wrapping("cache", cache, nests="inside"), wrapping("guard", guard, nests="outside")]
    with pytest.raises(PluginError) as caught:
        app_with(talking(echo), *plugins, plugins=PluginSettings(order=["cache"]))
    message = str(caught.value)
    assert "puts 'cache' outside of 'guard' around the execution of POST /talk" in message
    assert message.endswith("outermost first: plugins: {order: [guard, cache]}")


@pytest.mark.parametrize("hook", WRAPPING)
def test_the_operator_is_warned_once_of_a_plugin_that_says_nothing_and_is_put_outside_of_a_guard(
    caplog: pytest.LogCaptureFixture, hook: str
) -> None:
    plugins = [marking("b", hook), marking("guard", hook, nests="outside"), marking("watch", hook, nests="anywhere")]
    app_with(talking(echo), talking(echo, "/z"), *plugins, plugins=PluginSettings(order=["watch", "b"]))
    (warning,) = [each for each in caplog.messages if "outside of" in each]
    assert warning.startswith(
        "plugins.order puts 'b' outside of 'guard': if 'b' answers by itself, 'guard' does not see"
    )
    assert warning.endswith("plugins: {order: [guard, watch, b]}")


@pytest.mark.parametrize("hook", WRAPPING)
@pytest.mark.parametrize("place", [{}, {"nests": "outside"}, {"nests": "inside"}])
def test_two_of_which_nothing_says_how_they_nest_stop_the_start_with_the_line_to_write(
    hook: str, place: dict[str, Any]
) -> None:
    harmless = marking("c", hook, nests="anywhere")
    with pytest.raises(PluginError) as caught:
        app_with(talking(echo), marking("b", hook, **place), harmless, marking("a", hook, **place))
    message = str(caught.value)
    assert message.startswith("Plugins 'a' and 'b' both wrap ")
    assert "nothing says which of them stands outside" in message
    assert "plugins: {order: [" in message


@pytest.mark.parametrize("hook", WRAPPING)
async def test_the_operator_decides_and_the_others_follow(hook: str) -> None:
    plugins = [marking(name, hook) for name in "abc"]
    assert await order_of(hook, *plugins, order=["c", "a"]) == ["c", "a", "b"]
    assert await order_of(hook, *plugins, order=["b", "absent", "c", "a", "b"]) == ["b", "c", "a"]


@pytest.mark.parametrize("hook", WRAPPING)
async def test_what_plugins_say_settles_it_without_the_operator(hook: str) -> None:
    plugins = [
        marking("a", hook, nests="inside"),
        marking("b", hook, nests="anywhere"),
        marking("c", hook),
        marking("d", hook, nests="anywhere"),
        marking("e", hook, nests="outside"),
    ]
    assert await order_of(hook, *plugins, order=[]) == ["e", "b", "c", "d", "a"]
    assert await order_of(hook, *plugins, order=["d"]) == ["d", "e", "b", "c", "a"]


def test_how_everything_nests_can_be_shown() -> None:
    plugins = [marking("cache", "ovms_wrap_execution", nests="inside"), marking("guard", "ovms_wrap_execution")]
    settings = Settings(access_log=True)
    host = load_plugins(settings.plugins, [talking(echo), *plugins])
    endpoints = [endpoint for _, endpoint in gather(host, settings).endpoints]
    assert nestings(host, endpoints, settings) == {"server": ["core"], "POST /talk": ["guard", "cache"]}


def test_plugins_that_wrap_different_endpoints_do_not_meet() -> None:
    def only(name: str, path: str) -> SimpleNamespace:
        return plugin(name, ovms_wrap_execution=lambda endpoint: guard if endpoint.path == path else None)

    app_with(talking(echo), talking(echo, "/other"), only("a", "/talk"), only("b", "/other"))


@pytest.mark.parametrize(("place", "said"), [("outer", "nests='outer'"), (3, "nests=3")])
def test_a_place_that_there_is_not_stops_the_start(place: Any, said: str) -> None:
    with pytest.raises(PluginError, match=rf"{said}.*'outside', 'inside' or 'anywhere'"):
        app_with(wrapping("guard", guard, nests=place))


def test_only_what_wraps_can_nest() -> None:
    odd = SimpleNamespace(__name__="odd", ovms_observe=hookimpl(nests="inside")(lambda: None))
    (report,) = [each for each in app_with(odd).server.plugins if each.name == "odd"]
    assert "says how ovms_observe nests, which wraps nothing" in report.reason


KEYS = {"ada": "key-of-ada"}


async def test_what_wraps_the_server_sees_what_is_refused_and_what_wraps_the_application_does_not() -> None:
    seen: dict[str, list[int]] = {"app": [], "server": []}

    def noting(place: str) -> Any:
        def wrap(app: Any) -> Any:
            async def note(scope: Any, receive: Any, send: Any) -> None:
                async def send_and_note(message: Any) -> None:
                    if message["type"] == "http.response.start":
                        seen[place].append(message["status"])
                    await send(message)

                await app(scope, receive, send_and_note)

            return note

        return wrap

    watcher = plugin("watcher", ovms_wrap_app=lambda: noting("app"), ovms_wrap_server=lambda: noting("server"))
    app = app_with(talking(echo), watcher, api_keys=KEYS, max_body_size=100, cors_origins=["https://a.example"])
    key = {"authorization": "Bearer key-of-ada"}
    preflight = {"origin": "https://a.example", "access-control-request-method": "POST"}
    async with serving(app) as url, Client(url) as client:
        await client.say(text="no key")
        await client.get("/nowhere", headers=key)
        await client.get("/v1/talk", headers=key)
        await client.post("/v1/talk", json={"text": "x" * 200}, headers=key)
        await client.options("/v1/talk", headers=preflight)
        await client.post("/v1/talk", json={"text": "fine"}, headers=key)
    assert seen == {"app": [200], "server": [401, 404, 405, 413, 200, 200]}


async def test_what_wraps_the_server_and_raises_gives_the_one_error_shape() -> None:
    def wrap(app: Any) -> Any:
        async def fail(scope: Any, receive: Any, send: Any) -> None:
            raise ValueError("no luck")

        return fail

    async with connected(app_with(talking(echo), plugin("clumsy", ovms_wrap_server=lambda: wrap))) as client:
        answer: httpx.Response = await client.get("/health")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert answer.headers["x-request-id"] in answer.json()["error"]["message"]
