"""The application takes nothing that it would not use, and tells why it cannot start."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.support import plugin, raising

from ovms_core.settings import PluginSettings
from ovms_core.testing import app_with


@pytest.mark.parametrize(
    ("name", "hook"),
    [
        ("add_route", "ovms_register_routes"),
        ("mount", "ovms_register_routes, which returns a Mount"),
        ("add_websocket_route", "ovms_register_routes, which returns a WebSocketRoute"),
        ("router", "ovms_register_routes"),
        ("add_middleware", "ovms_wrap_app or ovms_wrap_server"),
        ("add_exception_handler", "ovms_wrap_app"),
        ("add_event_handler", "ovms_lifespan"),
    ],
)
def test_what_would_have_no_effect_is_refused_and_the_hook_for_it_named(name: str, hook: str) -> None:
    with pytest.raises(AttributeError, match=rf"no '{name}': use a plugin's hook {hook}"):
        getattr(app_with(), name)


async def lived(app: Any) -> list[dict[str, str]]:
    """What the application says to a server that starts it and ends it."""
    said: list[dict[str, str]] = []

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.startup" if not said else "lifespan.shutdown"}

    async def send(message: dict[str, str]) -> None:
        said.append(message)

    await app({"type": "lifespan"}, receive, send)
    return said


async def test_it_starts_and_ends_as_a_server_tells_it() -> None:
    said = await lived(app_with())
    assert [message["type"] for message in said] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize(
    ("hooks", "message"),
    [
        ({"ovms_lifespan": raising(OSError("full"))}, "Plugin 'needed' is required (plugins.required) but quarantined"),
        ({"ovms_lifespan": raising(KeyboardInterrupt())}, "Traceback (most recent call last)"),
    ],
    ids=["the operator's", "ours"],
)
async def test_why_it_cannot_start_is_told_plainly(hooks: dict[str, Any], message: str) -> None:
    said: list[dict[str, str]] = []

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        said.append(message)

    app = app_with(plugin("needed", **hooks), plugins=PluginSettings(required=["needed"]))
    with pytest.raises(BaseException):  # noqa: B017,PT011 - whatever it is, the server hears of it first
        await app({"type": "lifespan"}, receive, send)
    assert [each["type"] for each in said] == ["lifespan.startup.failed"]
    assert said[0]["message"].startswith(message)
