"""A plugin with a WebSocket, which shouts back what it is told, word by word."""

from starlette.websockets import WebSocket

from ovms_core.plugin import Settings, WebSocketRoute, hookimpl


async def shout(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        for word in text.split():
            await websocket.send_text(word.upper())


@hookimpl
def ovms_register_routes(settings: Settings) -> list[WebSocketRoute]:
    return [WebSocketRoute("/shout/live", shout, prefixed=True)]
