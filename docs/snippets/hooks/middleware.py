"""A plugin that adds a header to every response of a route."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ovms_core.plugin import AppMiddleware, Settings, hookimpl


class Region:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_region(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-region", b"north")]
            await send(message)

        await self.app(scope, receive, send_with_region)


@hookimpl(nests="anywhere")
def ovms_wrap_app(settings: Settings) -> AppMiddleware | None:
    return Region
