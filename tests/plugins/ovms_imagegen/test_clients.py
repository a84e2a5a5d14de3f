"""What popular clients send, each as one request, with what each reads of the answer.

The bodies are those that the clients' sources build. The model is served under the names that they have built in.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from PIL import Image
from tests.plugins.ovms_imagegen.conftest import Served, as_file, opened, served_model

pytestmark = pytest.mark.real

PROMPT = "a red circle on a blue background"
PHOTO = as_file(Image.new("RGB", (640, 480), "white"))
MASK = as_file(Image.new("RGBA", (640, 480), (0, 0, 0, 0)))
NAMES = ["dall-e-2", "dall-e-3", "gpt-image-1"]


@pytest.fixture(scope="module")
def shipped(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`shapes` with its own options, as `make serve` has it, but with few steps and a folder for URLs."""
    folder = tmp_path_factory.mktemp("clients")
    options = {"max_size": None, "unsupported_size": None, "default_guidance_scale": None, "default_steps": 2}
    with served_model(shapes, folder, aliases=NAMES, default_response_format="url", **options) as served:
        yield served


@pytest.fixture
def ask(shipped: Served) -> Iterator[httpx.Client]:
    """A client whose addresses begin after ``/v1``."""
    with httpx.Client(base_url=f"{shipped.url}/v1", timeout=120) as client:
        yield client


def picture(answer: httpx.Response) -> Image.Image:
    """The first picture of an answer in base64."""
    assert answer.status_code == 200, answer.text
    return opened(base64.b64decode(answer.json()["data"][0]["b64_json"]))


def kept_picture(answer: httpx.Response) -> Image.Image:
    """The first picture of an answer with URLs, fetched as a browser does."""
    assert answer.status_code == 200, answer.text
    return opened(httpx.get(answer.json()["data"][0]["url"]).content)


@pytest.mark.parametrize(
    ("body", "size"),
    [
        pytest.param(
            {"model": "dall-e-2", "prompt": PROMPT, "n": 1, "size": "512x512", "response_format": "b64_json"},
            (256, 256),
            id="Open WebUI",
        ),
        pytest.param(
            {
                "model": "dall-e-3",
                "prompt": PROMPT,
                "response_format": "b64_json",
                "quality": "hd",
                "size": "1792x1024",
                "style": "natural",
            },
            (256, 144),
            id="n8n",
        ),
        pytest.param(
            {"model": "shapes", "prompt": PROMPT, "size": "512x512", "num_inference_steps": 4, "rng_seed": 0},
            (256, 256),
            id="Cherry Studio's page for OpenVINO Model Server",
        ),
        pytest.param(
            {"model": "gpt-image-1", "prompt": PROMPT, "n": 1, "size": "1024x1024", "response_format": "b64_json"},
            (256, 256),
            id="Vercel's AI SDK",
        ),
    ],
)
def test_a_client_that_wants_base64_gets_a_picture(
    ask: httpx.Client, body: dict[str, Any], size: tuple[int, int]
) -> None:
    answer = ask.post("/images/generations", json={"response_format": "b64_json"} | body)
    assert picture(answer).size == size
    assert answer.json()["size"] == f"{size[0]}x{size[1]}"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            {"model": "dall-e-2", "n": 1, "prompt": PROMPT, "quality": "standard", "size": "1024x1024"},
            id="LangChain's DALL-E wrapper",
        ),
        pytest.param(
            {
                "model": "dall-e-3",
                "quality": "standard",
                "style": "vivid",
                "size": "1024x1792",
                "prompt": PROMPT,
                "n": 1,
            },
            id="LibreChat's DALL-E tool",
        ),
        pytest.param(
            {
                "model": "dall-e-3",
                "prompt": PROMPT,
                "size": "1024x1024",
                "quality": "hd",
                "style": "vivid",
                "response_format": "url",
                "n": 1,
            },
            id="Home Assistant",
        ),
        pytest.param({"prompt": PROMPT, "size": "1024x1024", "n": 1, "model": "dall-e-2"}, id="Nextcloud"),
    ],
)
def test_a_client_that_reads_urls_gets_one_even_when_it_does_not_say_so(
    ask: httpx.Client, body: dict[str, Any]
) -> None:
    assert kept_picture(ask.post("/images/generations", json=body)).size in {(256, 256), (144, 256)}


def test_librechats_tool_for_gpt_image_draws_and_edits(shipped: Served) -> None:
    client = openai.OpenAI(base_url=f"{shipped.url}/v1", api_key="none", max_retries=0)
    drawn = client.images.generate(
        model="gpt-image-1",
        prompt=PROMPT,
        n=1,
        background="auto",
        output_format="png",
        quality="auto",
        size="auto",
        response_format="b64_json",
    )
    assert drawn.data
    fields = {"model": "gpt-image-1", "prompt": PROMPT, "quality": "auto", "size": "auto"}
    files = {"image[]": ("photo.png", base64.b64decode(drawn.data[0].b64_json or ""), "image/png")}
    assert kept_picture(httpx.post(f"{shipped.url}/v1/images/edits", data=fields, files=files)).size == (128, 128)


EDITS = [
    pytest.param(
        {
            "model": "gpt-image-1",
            "prompt": PROMPT,
            "n": "1",
            "size": "1024x1024",
            "background": "auto",
            "response_format": "b64_json",
        },
        {"image": ("0e8f.png", PHOTO, "image/png")},
        (256, 256),
        id="Open WebUI",
    ),
    pytest.param(
        {
            "model": "gpt-image-1",
            "prompt": PROMPT,
            "n": "1",
            "size": "1536x1024",
            "quality": "high",
            "background": "transparent",
            "input_fidelity": "high",
            "output_format": "webp",
            "output_compression": "85",
            "user": "test-user-123",
            "response_format": "b64_json",
        },
        {"image[]": ("image1.jpg", PHOTO, "image/jpeg"), "mask": ("mask.png", MASK, "image/png")},
        (256, 176),
        id="n8n",
    ),
]


@pytest.mark.parametrize(("fields", "files", "size"), EDITS)
def test_a_client_that_edits_gets_a_picture(
    ask: httpx.Client, fields: dict[str, str], files: dict[str, Any], size: tuple[int, int]
) -> None:
    assert picture(ask.post("/images/edits", data=fields, files=files)).size == size
