"""The fixtures of `EndpointContract`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from ovms_core.testing.contract import Subject


@pytest_asyncio.fixture(scope="class", loop_scope="class")
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """The endpoint under test, in a server that runs for its class of tests."""
    from ovms_core.testing.contract.subject import running

    async with running(request.cls) as subject:
        yield subject


def pytest_itemcollected(item: pytest.Item) -> None:
    """What is said of a whole class must have its reason too. Raises `UsageError`."""
    if item.get_closest_marker("ovms_contract") is None:
        return
    for mark in (*item.iter_markers("xfail"), *item.iter_markers("skip")):
        if not (mark.kwargs.get("reason") or (mark.name == "skip" and mark.args)):
            raise pytest.UsageError(f"{item.nodeid} has {mark.name} without reason='…': say why it cannot pass.")
