"""What kind a function is that a plugin hands over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial, wraps
from typing import Any

import pytest

from ovms_core.plugin_loading.checks.functions import coroutine_fault, described, generator_fault, plain_fault


async def events(call: Any) -> AsyncIterator[str]:
    yield "a"


async def event(call: Any) -> str:
    return "a"


def handed_on(call: Any) -> AsyncIterator[str]:
    return events(call)


def awaitable(call: Any) -> Awaitable[str]:
    return event(call)


def plain(call: Any) -> str:
    return "a"


def listed(call: Any) -> Iterator[str]:
    yield "a"


@wraps(event)
def wrapped(*arguments: Any) -> Any:
    return event(*arguments)


class Events:
    async def __call__(self, call: Any) -> AsyncIterator[str]:
        yield "a"


class Event:
    async def __call__(self, call: Any) -> str:
        return "a"


@pytest.mark.parametrize("function", [events, handed_on, partial(events), Events(), Events().__call__])
def test_what_gives_events_is_taken_for_an_async_generator(function: Any) -> None:
    assert generator_fault(function, "call") is None


@pytest.mark.parametrize("function", [event, awaitable, wrapped, partial(event), Event()])
def test_what_gives_an_awaitable_is_taken_for_an_async_function(function: Any) -> None:
    assert coroutine_fault(function, "call") is None


@pytest.mark.parametrize("function", [plain, handed_on, listed, partial(plain), len])
def test_what_is_not_async_is_taken_for_a_plain_function(function: Any) -> None:
    assert plain_fault(function, "call") is None


MISTAKES: list[tuple[Callable[..., str | None], Any, str]] = [
    (generator_fault, event, "an async function without a 'yield'"),
    (generator_fault, Event(), "an async function without a 'yield'"),
    (generator_fault, listed, "a generator that is not async"),
    (generator_fault, "a", "cannot be called"),
    (coroutine_fault, plain, "no async function: write 'async def'"),
    (coroutine_fault, events, "an async generator: write 'return'"),
    (coroutine_fault, None, "cannot be called"),
    (plain_fault, event, "async, and nobody awaits it"),
    (plain_fault, Events(), "async, and nobody awaits it"),
    (plain_fault, 3, "cannot be called"),
]


@pytest.mark.parametrize(("fault_of", "function", "told"), MISTAKES)
def test_another_kind_is_told(fault_of: Callable[..., str | None], function: Any, told: str) -> None:
    assert told in str(fault_of(function, "call"))


@pytest.mark.parametrize(("fault_of", "function"), [(generator_fault, events), (coroutine_fault, event)])
def test_what_takes_other_arguments_is_told(fault_of: Callable[..., str | None], function: Any) -> None:
    assert "is called with (call, proceed)" in str(fault_of(function, "call", "proceed"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        ("text", "'text'"),
        (Event, "the class Event"),
        (Event(), "an Event"),
        (plain, "the function plain"),
        ([], "a list"),
    ],
)
def test_a_value_is_described_in_plain_words(value: object, text: str) -> None:
    assert described(value) == text
