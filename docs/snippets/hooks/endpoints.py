"""A plugin that registers an endpoint."""

from collections.abc import AsyncIterator, Sequence

from ovms_core.plugin import Body, Call, Endpoint, Settings, hookimpl


class Limits(Endpoint[Body]):
    """What this server allows."""

    path = "/limits"
    method = "GET"
    body = Body

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def execute(self, call: Call[Body]) -> AsyncIterator[dict[str, float]]:
        yield {"max_body_size": self._settings.max_body_size, "request_timeout": self._settings.request_timeout}

    def to_json(self, call: Call[Body], events: Sequence[dict[str, float]]) -> object:
        return events[0]


@hookimpl
def ovms_register_endpoints(settings: Settings) -> list[Limits]:
    return [Limits(settings)]
