"""Nothing that a client sends as a schema, regular expression, grammar, tool or history harms anybody else.

``OVMS_FUZZ=2000 python -m pytest tests/e2e/test_fuzz_guides.py`` sends more; ``OVMS_FUZZ_SEED`` makes them others.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.e2e.server import Server
from tests.e2e.wild.guides import wild
from tests.e2e.wild.request import RESPONSES, Wild

pytestmark = pytest.mark.real

COUNT = int(os.environ.get("OVMS_FUZZ", "60"))
SEED = int(os.environ.get("OVMS_FUZZ_SEED", "0"))

_STREAMS = 8
_AT_ONCE = 16
_PATIENCE = 60.0
"""Seconds within which every request is answered: a hang is found, a busy machine is not."""


@pytest.fixture(scope="module")
def requests() -> list[Wild]:
    return list(wild(SEED, COUNT))


@pytest.mark.timeout(max(300, COUNT))
async def test_wild_guides_harm_no_other_request(chat_server: Server, requests: list[Wild]) -> None:
    workers = chat_server.worker_pids()
    async with _client(chat_server) as client:
        expected = await asyncio.gather(*(_story(client, number) for number in range(_STREAMS)))
        over = asyncio.Event()
        streams = [asyncio.create_task(_stories(client, number, expected[number], over)) for number in range(_STREAMS)]
        problems, statuses = await _send_all(client, requests)
        over.set()
        await asyncio.gather(*streams)
    assert problems == []
    assert chat_server.worker_pids() == workers
    assert statuses[200] > COUNT / 4 < COUNT - statuses[200], "too few are good, or too few are bad"


def _client(server: Server) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=_AT_ONCE + _STREAMS)
    return httpx.AsyncClient(base_url=f"{server.url}/v1", timeout=2 * _PATIENCE, limits=limits)


async def _stories(client: httpx.AsyncClient, number: int, expected: str, over: asyncio.Event) -> int:
    """Tell a story again and again; how often. It is the same every time."""
    told = 0
    while not (told and over.is_set()):
        assert await _story(client, number) == expected
        told += 1
    return told


async def _story(client: httpx.AsyncClient, number: int) -> str:
    messages = [{"role": "user", "content": f"Tell me story number {number} about the sea."}]
    body = {
        "model": "smollm2",
        "messages": messages,
        "max_tokens": 64,
        "temperature": 0,
        "ignore_eos": True,
        "stream": True,
    }
    text, finish = "", None
    async with client.stream("POST", "/chat/completions", json=body) as response:
        assert response.status_code == 200, await response.aread()
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                choice = json.loads(line[6:])["choices"][0]
                text, finish = text + (choice["delta"].get("content") or ""), choice["finish_reason"] or finish
    assert finish == "length"
    return text


async def _send_all(client: httpx.AsyncClient, requests: list[Wild]) -> tuple[list[str], Counter[int]]:
    """What is wrong with the answers, and how often each status came."""
    waiting, problems, statuses = iter(requests), list[str](), Counter[int]()
    await asyncio.gather(*(_send_each(client, waiting, problems, statuses) for _ in range(_AT_ONCE)))
    return problems, statuses


async def _send_each(
    client: httpx.AsyncClient, waiting: Iterator[Wild], problems: list[str], statuses: Counter[int]
) -> None:
    for request in waiting:
        start = time.perf_counter()
        content = json.dumps(request.body).encode()
        response = await client.post(request.path, content=content, headers={"content-type": "application/json"})
        statuses[response.status_code] += 1
        seconds = time.perf_counter() - start
        if problem := _too_late(seconds) or _problem(request, response):
            problems.append(f"{problem}\n  {request}\n  {response.text[:600]}")


def _too_late(seconds: float) -> str | None:
    return f"{seconds:.1f} s" if seconds > _PATIENCE else None


def _problem(request: Wild, response: httpx.Response) -> str | None:
    """What is wrong with an answer, if anything."""
    if response.status_code == 200:
        return _problem_of_texts(request, response.json())
    error = response.json().get("error", {})
    if set(error) != {"message", "type", "param", "code"} or not error["message"]:
        return "an error of another shape"
    if response.status_code in (429, 503):
        return None if "retry-after" in response.headers else f"{response.status_code} without Retry-After"
    if error["code"] == "invalid_output":  # what cannot be enforced is found out at the end
        return None
    return None if 400 <= response.status_code < 500 else f"{response.status_code}"


def _problem_of_texts(request: Wild, answer: dict[str, Any]) -> str | None:
    if request.fits is None:
        return None
    return next((f"the text is {text!r}" for text in _whole_texts(request, answer) if not request.fits(text)), None)


def _whole_texts(request: Wild, answer: dict[str, Any]) -> Iterator[str]:
    """The texts of all answers that are complete."""
    if request.path == RESPONSES:
        items = answer["output"] if answer["status"] == "completed" else []
        yield from (part["text"] for item in items if item["type"] == "message" for part in item["content"])
        return
    for choice in answer["choices"]:
        if choice["finish_reason"] == "stop":
            yield choice["message"]["content"] if "message" in choice else choice["text"]


_PROPERTIES = {f"property{number}": {"type": "string"} for number in range(10_000)}
_BOMBS: dict[str, dict[str, Any]] = {
    "10 000 properties": {"guided_json": {"type": "object", "properties": _PROPERTIES}},
    "a reference to itself": {"guided_json": {"$ref": "#"}},
    "a document without an end": {
        "guided_json": {"type": "object", "properties": {"again": {"$ref": "#"}}, "required": ["again"]}
    },
    "5 000 levels": {"guided_grammar": "root ::= " + "(" * 5000 + '"a"' + ")" * 5000},
    "an exponential expression": {"guided_regex": "((a{1,1000}){1,1000}){1,1000}"},
    "a long repetition": {"guided_regex": "a{1,100000000}"},
    "many alternatives": {"guided_grammar": "root ::= " + " | ".join(f'"option {n}"' for n in range(100_000))},
    "a tool": {
        "tools": [{"type": "function", "function": {"name": "it", "strict": True, "parameters": {"$ref": "#"}}}],
        "tool_choice": "required",
    },
}


@pytest.mark.parametrize("bomb", _BOMBS)
def test_a_bomb_is_refused_within_a_second(chat_server: Server, bomb: str) -> None:
    body = {"model": "smollm2", "messages": [{"role": "user", "content": "Go."}], "max_tokens": 4, **_BOMBS[bomb]}
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        response = httpx.post(f"{chat_server.url}/v1/chat/completions", json=body, timeout=120)
        seconds.append(time.perf_counter() - start)
        assert response.status_code == 400, response.text[:600]
        assert next(iter(_BOMBS[bomb])) in response.json()["error"]["param"]
    assert min(seconds) < 1.0, seconds
