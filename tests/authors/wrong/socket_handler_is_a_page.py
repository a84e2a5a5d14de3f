"""The handler of a WebSocket that takes nothing."""

from typing import Any

from ovms_core.plugin import Settings, WebSocketRoute, hookimpl


async def talk() -> None:
    """It should take the WebSocket."""


@hookimpl
def ovms_register_routes(settings: Settings) -> list[WebSocketRoute]:
    handler: Any = talk
    return [WebSocketRoute("/talk", handler)]
