"""Calls on threads of their own always come to an end for whoever waits."""

from __future__ import annotations

import asyncio

import pytest
from tests.core.support import raising

from ovms_core.models.background import Background


async def test_what_a_call_returns_or_raises_is_what_the_waiting_one_gets() -> None:
    background = Background()
    assert await background.run(max, 1, 3) == 3
    with pytest.raises(ZeroDivisionError):
        await background.run(raising(ZeroDivisionError()))


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), StopIteration(), asyncio.CancelledError()])
async def test_a_call_that_tries_to_end_its_thread_is_an_ordinary_error_with_its_name(error: BaseException) -> None:
    async with asyncio.timeout(1):
        with pytest.raises(Exception, match=type(error).__name__) as caught:
            await Background().run(raising(error))
    assert caught.value.__cause__ is error
