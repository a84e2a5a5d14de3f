"""What grows with the bytes of pictures is done beside the event loop, so that others are served meanwhile."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.plugins.ovms_imagegen.test_uploads import png

from ovms_core.engine import EngineInfo
from ovms_core.testing import FakeEngine, app_with, connected
from ovms_imagegen import hooks
from ovms_imagegen.limits import Defaults, Limits
from ovms_imagegen.messages import Drawn

SIZE = 20 << 20
OWN = Defaults(steps=4, guidance_scale=1.0, strength=0.8)
LIMITS = Limits(
    default_size=(128, 128),
    multiple=8,
    max_size=(128, 128),
    sizes=None,
    any_size=False,
    max_images=4,
    default_steps=4,
    max_steps=50,
    default_guidance_scale=1.0,
    defaults={"generations": OWN, "edits": OWN, "masks": OWN},
    max_upload_bytes=SIZE + 100,
    max_upload_pixels=1 << 20,
    generations=True,
    edits=True,
    masks=True,
    urls=False,
    prefers_urls=False,
    loras=[],
    unused=[],
    prompt_tokens=77,
    keeps_guidance=False,
    rounds_up=False,
)
SMALL = png((b"IDAT", b""))


class Turns:
    """How many turns the event loop had so far; one takes a few milliseconds."""

    count = 0

    async def _count(self) -> None:
        while True:
            await asyncio.sleep(0.002)
            self.count += 1


@contextlib.asynccontextmanager
async def counted() -> AsyncIterator[Turns]:
    turns = Turns()
    task = asyncio.create_task(turns._count())
    yield turns
    task.cancel()


def engine(data: bytes) -> FakeEngine:
    info = EngineInfo(slots=2, device="CPU", details=LIMITS.details())
    return FakeEngine("image_generation", [Drawn(0, 1, (128, 128), 4, 5, data)], info=info)


@contextlib.asynccontextmanager
async def client(data: bytes = SMALL) -> AsyncIterator[httpx.AsyncClient]:
    app = app_with(hooks, models=[engine(data)], max_body_size=2 * SIZE, max_body_memory=4 * SIZE)
    async with connected(app) as http:
        yield http


def upload() -> dict[str, Any]:
    url = f"data:image/png;base64,{base64.b64encode(SMALL + bytes(SIZE)).decode()}"
    return {"prompt": "x", "images": [{"image_url": url}]}


async def test_a_large_picture_in_json_is_read_beside_the_event_loop() -> None:
    async with client() as http:
        request = http.build_request("POST", "/v3/images/edits", json=upload())
        async with counted() as turns:
            answer = await http.send(request)
    assert answer.status_code == 200, answer.text
    assert turns.count > 4


@pytest.mark.parametrize("stream", [False, True])
async def test_a_large_picture_is_written_beside_the_event_loop(stream: bool) -> None:
    data = bytes(SIZE)
    async with client(data) as http, counted() as turns:
        request = http.build_request("POST", "/v3/images/generations", json={"prompt": "x", "stream": stream})
        answer = await http.send(request, stream=True)
        content = b"".join([piece async for piece in answer.aiter_raw()])
    assert base64.b64encode(data) in content
    assert turns.count > 4
