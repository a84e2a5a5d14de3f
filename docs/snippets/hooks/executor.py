"""A plugin that does the work of an endpoint in another way."""

from collections.abc import AsyncIterator
from typing import Any

from ovms_core.plugin import Call, Endpoint, Executor, hookimpl


async def whisper(call: Call[Any]) -> AsyncIterator[str]:
    for word in call.body.text.split():
        yield word.lower()


@hookimpl
def ovms_executor(endpoint: Endpoint[Any]) -> Executor | None:
    return whisper if endpoint.path == "/shout" else None
