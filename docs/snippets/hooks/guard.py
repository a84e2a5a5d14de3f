"""A plugin that refuses requests with forbidden words, at every endpoint."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from ovms_core.plugin import APIError, Call, Endpoint, Interceptor, Proceed, Settings, hookimpl

FORBIDDEN = ("abracadabra",)


def is_forbidden(call: Call[Any]) -> bool:
    return any(word in text.lower() for text in call.texts() for word in FORBIDDEN)


async def guard(call: Call[Any], proceed: Proceed) -> AsyncIterator[Any]:
    if await call.off_loop(is_forbidden, call):
        raise APIError(400, "The input was rejected by policy.", code="policy_violation")
    async with aclosing(proceed(call)) as events:
        async for event in events:
            yield event


@hookimpl(nests="outside")
def ovms_wrap_execution(endpoint: Endpoint[Any], settings: Settings) -> Interceptor | None:
    return guard
