"""Work on a request before its call is known, for as long as its client waits and its time is not up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from ovms_core.errors import request_timed_out

T = TypeVar("T")


async def while_client_waits(work: Coroutine[Any, Any, T], receive: Receive, limit: float) -> T:
    """What `work` returns or raises; it is cancelled when the client leaves or after `limit` seconds.

    The body must have been received. Raises `ClientDisconnect`, or `APIError` 504.
    """
    working, watching = asyncio.create_task(work), asyncio.create_task(_end_of(receive))
    try:
        await asyncio.wait((working, watching), timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise watching.result() if watching.done() else request_timed_out(limit)
    finally:
        working.cancel()
        watching.cancel()
        await asyncio.wait((watching,))  # only one may receive at a time


async def _end_of(receive: Receive) -> Exception:
    """Why a request whose body has been received is over."""
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    except Exception as error:
        return error
    return ClientDisconnect()
