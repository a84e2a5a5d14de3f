"""A plugin with an endpoint that does nothing, to measure what the core costs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from ovms_core.plugin import Body, Call, Endpoint, Settings, hookimpl


class Nothing(Endpoint[Body]):
    """``POST /nothing``."""

    path = "/nothing"
    body = Body

    async def execute(self, call: Call[Body]) -> AsyncIterator[Any]:
        return
        yield

    def to_json(self, call: Call[Body], events: Sequence[Any]) -> object:
        return {"nothing": True}


@hookimpl
def ovms_register_endpoints(settings: Settings) -> list[Endpoint[Any]]:
    return [Nothing()]
