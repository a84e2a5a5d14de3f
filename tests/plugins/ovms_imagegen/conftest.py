"""The starter model `shapes`: in an engine of this process, and behind a server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

from ovms_core.app import Application
from ovms_core.engine import Event, Gain, ModelSpec, RequestError
from ovms_core.settings import ModelSettings
from ovms_core.testing import app_with, serving
from ovms_imagegen import hooks
from ovms_imagegen.engine.generation import ImageGeneration
from ovms_imagegen.messages import Draw, Drawn

SHAPES = Path(str(files("ovms_starter"))) / "models" / "shapes"
MAX_PIXELS = 1_000_000
OPTIONS: dict[str, Any] = {
    "default_steps": 20,
    "default_guidance_scale": 3.5,
    "max_size": "256x256",
    "unsupported_size": "refuse",
    "max_upload_pixels": MAX_PIXELS,
    "max_upload_bytes": 4 << 20,
}


@pytest.fixture(scope="session")
def shapes() -> Path:
    """The folder of a small text-to-image model that draws coloured shapes of 128x128 pixels."""
    return SHAPES


def load(folder: Path, work_dir: Path, **options: Any) -> ImageGeneration:
    """The model in `folder` as an engine, on the CPU."""
    options = {**OPTIONS, "cache_dir": str(work_dir), **options}
    return ImageGeneration(
        ModelSpec(
            name="shapes",
            task="image_generation",
            path=str(folder),
            work_dir=str(work_dir),
            device="CPU",
            options=options,
        )
    )


@pytest.fixture(scope="session")
def engine(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageGeneration]:
    """`shapes`, loaded. All tests share it."""
    folder = tmp_path_factory.mktemp("engine")
    engine = load(shapes, folder, url_folder=str(folder / "kept"))
    yield engine
    engine.close()


Drawing = Callable[..., list[Any]]


@pytest.fixture(scope="session")
def draw(engine: ImageGeneration) -> Drawing:
    """Runs a `Draw` with these fields in `engine`; its events, or `RequestError` raised."""

    def run(prompt: str = "a red circle on a blue background", **fields: Any) -> list[Any]:
        return run_to_end(engine, Draw(**{"model": "shapes", "seed": 1, "prompt": prompt, **fields}))

    return run


def run_to_end(engine: ImageGeneration, request: Draw) -> list[Any]:
    """The events of `request`. Raises `RequestError`."""
    engine.add(1, request)
    gains: list[Gain] = []
    while not gains or isinstance(gains[-1], Event):
        gains.extend(gain for _, gain in engine.step())
    if isinstance(gains[-1], RequestError):
        raise gains[-1]
    return gains[:-1]


def last_file(events: list[Any]) -> bytes:
    """The file of the last picture among `events`."""
    drawn = events[-1]
    assert isinstance(drawn, Drawn)
    assert drawn.data is not None
    return drawn.data


def opened(data: bytes) -> Image.Image:
    """The picture in `data`, decoded."""
    image = Image.open(BytesIO(data))
    image.load()
    return image


def as_file(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """`image` as the bytes of a file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


# -- over HTTP


@dataclass(frozen=True)
class Served:
    """A server with the model `shapes`."""

    url: str
    app: Application
    kept: Path

    @property
    def images(self) -> str:
        return f"{self.url}/v3/images"

    def openai(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v3", api_key="none", max_retries=0)


@contextmanager
def served_model(model: Path, folder: Path, aliases: Sequence[str] = (), **options: Any) -> Iterator[Served]:
    """`model` behind a real socket, in a thread of this process; its engine is a process of its own."""
    options = {**OPTIONS, "cache_dir": str(folder / "cache"), "url_folder": str(folder / "kept"), **options}
    named: dict[str, Any] = {"name": "shapes", "aliases": list(aliases)}
    app = app_with(hooks, models=[ModelSettings(**named, source=str(model), device="CPU", options=options)])
    started: list[str] = []
    ready, leave = threading.Event(), threading.Event()

    async def serve() -> None:
        async with serving(app) as url:
            started.append(url)
            ready.set()
            await asyncio.to_thread(leave.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(120)
    yield Served(started[0], app, folder / "kept")
    leave.set()
    thread.join(30)


@pytest.fixture(scope="session")
def served(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`shapes` behind a server, which draws sizes that it cannot at the nearest. All tests share it."""
    with served_model(shapes, tmp_path_factory.mktemp("served"), unsupported_size="nearest") as served:
        yield served


@pytest.fixture
def http(served: Served) -> Iterator[httpx.Client]:
    """A client whose addresses begin after ``/v3/images``."""
    with httpx.Client(base_url=served.images, timeout=120) as client:
        yield client
