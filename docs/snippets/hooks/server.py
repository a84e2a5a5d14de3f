"""A plugin that counts every response by its status, those that refuse a request too."""

from collections import Counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ovms_core.plugin import AppMiddleware, Settings, hookimpl

STATUSES: Counter[int] = Counter()


class CountStatuses:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_count(message: Message) -> None:
            if message["type"] == "http.response.start":
                STATUSES[message["status"]] += 1
            await send(message)

        await self.app(scope, receive, send_and_count)


@hookimpl(nests="anywhere")
def ovms_wrap_server(settings: Settings) -> AppMiddleware | None:
    return CountStatuses
