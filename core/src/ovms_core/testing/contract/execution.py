"""What happens while an endpoint executes: guardrails read and block, and clients leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest

from ovms_core.calls.endpoint import Call, Proceed
from ovms_core.errors import APIError
from ovms_core.testing.contract.subject import BLOCKED, Contract, Subject, block, error_of

_NONSENSE = ("", "\N{SNOWMAN}\0 =contract=")


class ExecutionTests(Contract):
    """A valid request is answered, unless a guardrail blocks it or its client leaves."""

    async def test_a_valid_request_is_answered(self, subject: Subject) -> None:
        answer = await self.ask(subject)
        assert answer.status_code == 200, answer.text
        assert answer.content
        assert answer.headers["x-request-id"]

    async def test_a_text_without_sense_is_no_fault_of_the_server(self, subject: Subject) -> None:
        subject.require_json_body()
        for path, body in _with_nonsense(self.valid_body):
            answer = await self.ask(subject, **body)
            assert answer.status_code < 500, (
                f"{path} in {body} is a {answer.status_code}: raise APIError(400, …) for what cannot be served"
            )

    async def test_a_guardrail_that_blocks_blocks_both_modes(self, subject: Subject) -> None:
        for stream in _modes(subject):
            with subject.intercepted(block):
                answer = await self.ask(subject, stream=stream)
            assert (answer.status_code, error_of(answer)["code"]) == (403, BLOCKED), answer.text

    async def test_a_guardrail_that_blocks_late_lets_nothing_out(self, subject: Subject) -> None:
        for stream in _modes(subject):
            with subject.intercepted(_block_late):
                answer = await self.ask(subject, stream=stream)
            assert (answer.status_code, error_of(answer)["code"]) == (403, BLOCKED), answer.text

    async def test_a_guardrail_can_read_every_text(self, subject: Subject) -> None:
        read: list[str] = []

        def guard(call: Call[Any], proceed: Proceed) -> AsyncIterator[Any]:
            read.extend(call.texts())
            return block(call, proceed)

        with subject.intercepted(guard):
            answer = await self.ask(subject)
        assert answer.status_code == 403, answer.text
        assert all(isinstance(text, str) for text in read), "texts() gives strings"
        if any(_texts({name: value for name, value in self.valid_body.items() if name != "model"})):
            assert read, "valid_body has texts, but texts() gives none to a guardrail"

    async def test_a_client_that_leaves_ends_the_execution_in_both_modes(self, subject: Subject) -> None:
        for stream in _modes(subject):
            held = Held()
            with subject.intercepted(held.intercept):
                request = asyncio.create_task(self.ask(subject, stream=stream))
                await self._until_held(held, request)
                request.cancel()
                await asyncio.wait({request})
                await self.until(held.closed.is_set)

    async def _until_held(self, held: Held, request: asyncio.Task[httpx.Response]) -> None:
        await self.until(lambda: held.entered.is_set() or request.done())
        if held.empty:
            pytest.skip("the execution has no event, so it cannot be held at one")
        await self.until_or_answered(held.entered, request)


class Held:
    """Holds an execution at its first event; `empty` says that there was none."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.closed = asyncio.Event()
        self.empty = False

    async def intercept(self, call: Call[Any], proceed: Proceed) -> AsyncIterator[Any]:
        async with aclosing(proceed(call)) as events:
            async for event in events:
                await self.hold()
                yield event
        self.empty = not self.entered.is_set()

    async def hold(self) -> None:
        """Wait for good; tells when it begins and when it was given up."""
        self.entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.closed.set()


async def _block_late(call: Call[Any], proceed: Proceed) -> AsyncIterator[Any]:
    """A guardrail that must see the whole answer first."""
    events = [event async for event in proceed(call)]
    for event in reject(events):
        yield event


def reject(events: list[Any]) -> list[Any]:
    """What a guardrail does that wants none of `events` to get out."""
    raise APIError(403, f"The answer of {len(events)} events was rejected.", code=BLOCKED)


def _modes(subject: Subject) -> list[bool]:
    return [False, True] if subject.endpoint.streams else [False]


def _with_nonsense(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """`value` with one of its strings replaced at a time, and where that is; the model's name stays."""
    if isinstance(value, str):
        yield from ((path, nonsense) for nonsense in _NONSENSE)
    elif isinstance(value, dict | list):
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            if (path, key) == ("", "model"):
                continue
            for where, replaced in _with_nonsense(item, f"{path}[{key!r}]"):
                changed = value.copy()
                changed[key] = replaced
                yield where, changed


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
