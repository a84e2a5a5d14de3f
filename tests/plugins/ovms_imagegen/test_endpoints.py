"""The endpoints over HTTP, with a real model and, where there is one, the official client."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import httpx
import openai
import psutil
import pytest
from openai.types import ImageGenCompletedEvent, ImageGenPartialImageEvent
from openai.types.image_edit_completed_event import ImageEditCompletedEvent
from PIL import Image
from tests.plugins.ovms_imagegen.conftest import Drawing, Served, as_file, last_file, opened

from ovms_imagegen.messages import Drawn

pytestmark = pytest.mark.real

PROMPT = "a red circle on a blue background"
WHITE = as_file(Image.new("RGB", (128, 128), "white"))


def content(item: Any) -> bytes:
    assert item.b64_json is not None
    return base64.b64decode(item.b64_json)


# -- the official client


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("prompt", [PROMPT, "a large red circle on a blue background"])
def test_the_official_client_draws_a_red_circle_on_blue(served: Served, prompt: str, seed: int) -> None:
    answer = served.openai().images.generate(prompt=prompt, extra_body={"seed": seed})
    assert answer.data is not None
    picture = opened(content(answer.data[0]))
    middle, corner = picture.getpixel((64, 64)), picture.getpixel((4, 4))
    assert isinstance(middle, tuple)
    assert isinstance(corner, tuple)
    assert middle[0] > 150 > middle[2]
    assert corner[2] > 130 > corner[0]
    assert (answer.size, answer.output_format) == ("128x128", "png")


def test_the_server_gives_the_same_bytes_as_the_engine(served: Served, draw: Drawing) -> None:
    answer = served.openai().images.generate(prompt=PROMPT, extra_body={"seed": 3})
    assert answer.data is not None
    assert content(answer.data[0]) == last_file(draw(PROMPT, seed=3))


def test_the_seed_that_was_used_is_in_the_answer_and_makes_the_picture_again(served: Served) -> None:
    client = served.openai()
    first = client.images.generate(prompt=PROMPT, n=2, extra_body={"num_inference_steps": 3})
    assert first.data is not None
    seeds = [item.model_extra["seed"] for item in first.data if item.model_extra]
    assert seeds[1] == seeds[0] + 1
    again = client.images.generate(prompt=PROMPT, extra_body={"num_inference_steps": 3, "rng_seed": seeds[1]})
    assert again.data is not None
    assert content(again.data[0]) == content(first.data[1])


def test_the_official_client_edits_with_and_without_a_mask(served: Served) -> None:
    client = served.openai()
    plain = client.images.edit(image=WHITE, prompt="a green square")
    masked = client.images.edit(image=[("a.png", WHITE)], mask=("mask.png", WHITE), prompt="a green square", n=2)
    assert plain.data is not None
    assert masked.data is not None
    assert len(masked.data) == 2
    assert opened(content(plain.data[0])).size == (128, 128)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_official_client_makes_variations(served: Served) -> None:
    answer = served.openai().images.create_variation(image=("a.png", WHITE), n=2)
    assert answer.data is not None
    assert len(answer.data) == 2


def test_the_official_client_streams_a_generation(served: Served) -> None:
    stream = served.openai().images.generate(prompt=PROMPT, stream=True, partial_images=2, quality="high")
    *partial, completed = list(stream)
    assert [event.partial_image_index for event in partial if isinstance(event, ImageGenPartialImageEvent)] == [0, 1]
    assert isinstance(completed, ImageGenCompletedEvent)
    ImageGenCompletedEvent.model_validate(completed.model_dump(), strict=True)
    for event in partial:
        ImageGenPartialImageEvent.model_validate(event.model_dump(), strict=True)
        assert (event.model_extra or {})["total"] == 20
    assert opened(content(completed)).size == (128, 128)


def test_the_official_client_streams_an_edit(served: Served) -> None:
    stream = served.openai().images.edit(image=WHITE, prompt=PROMPT, stream=True, partial_images=1)
    *partial, completed = list(stream)
    assert [event.type for event in partial] == ["image_edit.partial_image"]
    assert isinstance(completed, ImageEditCompletedEvent)
    ImageEditCompletedEvent.model_validate(completed.model_dump(), strict=True)


async def test_the_asynchronous_official_client_works_too(served: Served) -> None:
    async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as client:
        answer = await client.images.generate(prompt=PROMPT, model="shapes", size="auto", extra_body={"seed": 1})
    assert answer.data is not None
    assert opened(content(answer.data[0])).size == (128, 128)


# -- the wire


def test_progress_travels_in_comments_and_only_pictures_are_events(http: httpx.Client) -> None:
    body = {"prompt": PROMPT, "stream": True, "num_inference_steps": 3}
    lines = http.post("/generations", json=body).text.splitlines()
    assert [line for line in lines if line.startswith(":")] == [
        f": progress image=0 step={step} total=3" for step in (1, 2, 3)
    ]
    assert [line for line in lines if line.startswith("event:")] == ["event: image_generation.completed"]


WITHOUT_EFFECT = {
    "quality": "hd",
    "style": "vivid",
    "background": "transparent",
    "moderation": "low",
    "input_fidelity": "high",
    "complexity": "medium",
    "user": "me",
}


@pytest.mark.parametrize(
    "asked",
    [
        {"url": "/generations", "json": {"prompt": PROMPT, **WITHOUT_EFFECT, "num_inference_steps": 2}},
        {"url": "/edits", "data": {"prompt": PROMPT, "strength": "0.1", **WITHOUT_EFFECT}, "files": {"image": WHITE}},
    ],
    ids=["json", "form"],
)
def test_known_values_of_fields_without_effect_are_accepted_and_named(
    http: httpx.Client, asked: dict[str, Any]
) -> None:
    ignored = http.post(**asked).headers["x-ignored-params"]
    assert set(ignored.split(", ")) == set(WITHOUT_EFFECT)


def test_unknown_fields_of_a_form_are_named_too_even_files(http: httpx.Client) -> None:
    files = {"image": ("image.png", WHITE), "markup": ("markup.png", WHITE)}
    answer = http.post("/edits", data={"prompt": PROMPT, "strength": "0.1", "chat_id": "7"}, files=files)
    assert answer.status_code == 200
    assert set(answer.headers["x-ignored-params"].split(", ")) == {"chat_id", "markup"}


def test_an_unknown_value_of_a_field_without_effect_is_a_400_that_lists_the_known_ones(http: httpx.Client) -> None:
    answer = http.post("/edits", data={"prompt": PROMPT, "quality": "best"}, files={"image": WHITE})
    message = "must be 'auto', 'low', 'medium', 'high', 'xhigh', 'max', 'standard' or 'hd' (got \"best\")"
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


def test_a_size_that_the_model_cannot_draw_is_drawn_at_the_nearest_and_the_answer_says_so(http: httpx.Client) -> None:
    answer = http.post("/generations", json={"prompt": PROMPT, "size": "1024x1792", "num_inference_steps": 2})
    document = answer.json()
    assert document["size"] == "144x256"
    assert opened(base64.b64decode(document["data"][0]["b64_json"])).size == (144, 256)
    told = "The model cannot draw 1024x1792: the picture is 144x256, the nearest size that it can."
    assert answer.headers["x-warnings"] == told


def test_a_stream_says_the_nearest_size_too(http: httpx.Client) -> None:
    body = {"prompt": PROMPT, "size": "1024x1024", "num_inference_steps": 5, "stream": True, "partial_images": 1}
    answer = http.post("/generations", json=body)
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line[:6] == "data: "]
    assert [event["size"] for event in events] == ["256x256", "256x256"]
    assert "1024x1024" in answer.headers["x-warnings"]


def test_picture_and_mask_of_an_edit_are_fitted_to_the_nearest_size(http: httpx.Client) -> None:
    mask = Image.new("L", (300, 200), 0)
    mask.paste(255, (0, 0, 150, 200))
    files = {"image": as_file(Image.new("RGB", (300, 200), "white")), "mask": as_file(mask)}
    fields = {"prompt": PROMPT, "size": "1024x512", "num_inference_steps": "2"}
    document = http.post("/edits", data=fields, files=files).json()
    picture = opened(base64.b64decode(document["data"][0]["b64_json"]))
    assert document["size"] == "256x128"
    assert picture.size == (256, 128)
    assert picture.crop((136, 0, 256, 128)).getextrema() == ((255, 255),) * 3


def test_an_edit_may_be_json_with_data_urls(http: httpx.Client) -> None:
    picture = {"image_url": "data:image/png;base64," + base64.b64encode(WHITE).decode(), "detail": "high"}
    body = {"prompt": PROMPT, "images": [picture], "mask": picture, "num_inference_steps": 3}
    answer = http.post("/edits", json=body)
    assert answer.status_code == 200
    assert answer.headers["x-ignored-params"] == "images[0].detail, mask.detail"


def test_numbers_and_truths_in_a_form_are_understood(http: httpx.Client) -> None:
    fields = {"prompt": "7", "n": "2", "seed": "5", "strength": "0.5", "stream": "true", "partial_images": "0"}
    answer = http.post("/edits", data=fields, files={"image": WHITE})
    assert answer.text.count("event: image_edit.completed") == 2


@pytest.mark.parametrize(("kind", "media"), [("png", b"\x89PNG"), ("jpeg", b"\xff\xd8\xff"), ("webp", b"RIFF")])
def test_the_file_is_of_the_kind_that_is_asked_for(http: httpx.Client, kind: str, media: bytes) -> None:
    body = {"prompt": PROMPT, "output_format": kind, "num_inference_steps": 2}
    answer = http.post("/generations", json=body).json()
    assert answer["output_format"] == kind
    assert base64.b64decode(answer["data"][0]["b64_json"]).startswith(media)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": 3}, "prompt"),
        ({"prompt": "a", "n": 0}, "n"),
        ({"prompt": "a", "n": 11}, "n"),
        ({"prompt": "a", "n": 1.5}, "n"),
        ({"prompt": "a", "size": "huge"}, "size"),
        ({"prompt": "a", "size": "0x0"}, "size"),
        ({"prompt": "a", "size": "64x00"}, "size"),
        ({"prompt": "a", "size": "9" * 40 + "x1"}, "size"),
        ({"prompt": "a", "response_format": "file"}, "response_format"),
        ({"prompt": "a", "response_format": "url", "stream": True}, "response_format"),
        ({"prompt": "a", "output_format": "gif"}, "output_format"),
        ({"prompt": "a", "output_compression": 50}, "output_compression"),
        ({"prompt": "a", "output_compression": 101, "output_format": "jpeg"}, "output_compression"),
        ({"prompt": "a", "seed": -1}, "seed"),
        ({"prompt": "a", "seed": 2**32}, "seed"),
        ({"prompt": "a", "seed": 1, "rng_seed": 2}, "rng_seed"),
        ({"prompt": "a", "num_inference_steps": 0}, "num_inference_steps"),
        ({"prompt": "a", "num_inference_steps": 101}, "num_inference_steps"),
        ({"prompt": "a", "guidance_scale": -1}, "guidance_scale"),
        ({"prompt": "a", "strength": 0.5}, "strength"),
        ({"prompt": "a", "partial_images": 4, "stream": True}, "partial_images"),
        ({"prompt": "a", "partial_images": 1}, "partial_images"),
        ({"prompt": "a", "prompt_3": "b"}, "prompt_3"),
        ({"prompt": "a", "max_sequence_length": 77}, "max_sequence_length"),
        ({"prompt": "zebra " * 60}, "prompt"),
        ({"prompt": "a", "lora_alphas": {"ink": 1}}, "lora_alphas"),
        ({"prompt": "a", "quality": "best"}, "quality"),
        ({"prompt": "a", "style": "cubist"}, "style"),
        ({"prompt": "a", "background": "green"}, "background"),
        ({"prompt": "a", "moderation": "high"}, "moderation"),
        ({"prompt": "a", "input_fidelity": "medium"}, "input_fidelity"),
        ({"prompt": "a", "complexity": 5}, "complexity"),
    ],
)
def test_a_bad_value_is_a_400_that_names_its_field(http: httpx.Client, body: dict[str, Any], param: str) -> None:
    answer = http.post("/generations", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("request_fields", "status", "param"),
    [
        ({"data": {"prompt": "a"}, "files": {"image": b""}}, 400, "image"),
        ({"files": {"image": WHITE}}, 400, "prompt"),
        ({"data": {"prompt": "a"}, "files": {"mask": WHITE}}, 400, "image"),
        ({"data": {"prompt": "a"}, "files": [("image", WHITE), ("image[]", WHITE)]}, 400, "image"),
        ({"data": {"prompt": "a"}, "files": {"image": WHITE, "mask": b"nothing"}}, 400, "mask"),
        ({"files": {"image": WHITE, "prompt": b"a"}}, 400, "prompt"),
        ({"data": {"prompt": ["a", "b"]}, "files": {"image": WHITE}}, 400, "prompt"),
        ({"data": {"prompt": "a", "n": "many"}, "files": {"image": WHITE}}, 400, "n"),
        ({"data": {"prompt": "a", "strength": "2"}, "files": {"image": WHITE}}, 400, "strength"),
        ({"json": {"prompt": "a", "images": []}}, 400, "image"),
        ({"json": {"prompt": "a", "images": [{"file_id": "file-1"}]}}, 400, "images[0].file_id"),
        ({"json": {"prompt": "a", "images": [{"image_url": "https://example.org/a.png"}]}}, 400, "images[0].image_url"),
        ({"json": {"prompt": "a", "images": [{"image_url": "data:image/png;base64,%%"}]}}, 400, "images[0].image_url"),
        ({"json": {"prompt": "a", "images": [{"image_url": "data:,hello"}]}}, 400, "images[0].image_url"),
        ({"json": {"prompt": "a", "images": [{"image_url": {"url": "data:,hello"}}]}}, 400, "images[0].image_url"),
        ({"json": {"prompt": "a", "image": 5}}, 400, "image"),
        ({"content": b"prompt=a", "headers": {"content-type": "application/x-www-form-urlencoded"}}, 415, None),
        ({"content": b"--x", "headers": {"content-type": "multipart/form-data"}}, 400, None),
    ],
)
def test_a_bad_edit_is_refused_and_names_its_field(
    http: httpx.Client, request_fields: dict[str, Any], status: int, param: str | None
) -> None:
    answer = http.post("/edits", **request_fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param)
    if param == "images[0].image_url":
        assert "base64" in error["message"]


# -- files by URL


def test_a_picture_can_be_had_by_url(served: Served, http: httpx.Client) -> None:
    body = {"prompt": PROMPT, "response_format": "url", "seed": 1, "num_inference_steps": 3}
    url = http.post("/generations", json=body).json()["data"][0]["url"]
    kept = httpx.get(url)
    assert (kept.status_code, kept.headers["content-type"]) == (200, "image/png")
    assert "Seed: 1" in opened(kept.content).info["parameters"]
    assert len(list(served.kept.iterdir())) >= 1


@pytest.mark.parametrize("name", ["nothing.png", "..%2Fsecret.png", f"{'A' * 32}-99999999999.png"])
def test_what_was_never_kept_is_not_found(http: httpx.Client, name: str) -> None:
    assert http.get(f"/files/{name}").status_code == 404


# -- life


def in_flight(served: Served) -> int:
    [model] = list(served.app.server.models)
    assert model.runner is not None
    load = model.runner.load()
    return int(load.waiting + load.in_flight)


def wait_until_idle(served: Served) -> None:
    deadline = time.monotonic() + 60
    while in_flight(served):
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_client_that_leaves_stops_its_picture(served: Served, http: httpx.Client) -> None:
    body = {"prompt": PROMPT, "stream": True, "n": 10, "num_inference_steps": 100, "size": "256x256"}
    with http.stream("POST", "/generations", json=body) as response:
        next(response.iter_lines())
    wait_until_idle(served)
    started = time.monotonic()
    assert http.post("/generations", json={"prompt": PROMPT, "num_inference_steps": 1}).status_code == 200
    assert time.monotonic() - started < 20  # ten pictures of a hundred steps would take minutes


def test_a_killed_worker_in_mid_picture_costs_the_client_nothing_but_time(served: Served, http: httpx.Client) -> None:
    body = {"prompt": PROMPT, "stream": True, "n": 2, "seed": 9, "num_inference_steps": 40, "partial_images": 1}
    undisturbed = completed(http.post("/generations", json=body).text.splitlines())
    lines = []
    with http.stream("POST", "/generations", json=body) as response:
        for line in response.iter_lines():
            lines.append(line)
            if line.startswith(": progress image=1 step=3 ") and "killed" not in lines:
                lines.append("killed")
                max(workers(), key=lambda worker: worker.create_time()).kill()  # the newest is this test's own
    assert "killed" in lines
    assert completed(lines) == undisturbed


def workers() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "ovms_core.workers.worker" in " ".join(child.cmdline())]


def completed(lines: list[str]) -> list[tuple[int, str]]:
    """Number and content of each complete picture in a stream."""
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    return [(event["index"], event["b64_json"]) for event in events if event["type"].endswith(".completed")]


def test_the_drawn_event_knows_what_it_is_of(draw: Drawing) -> None:
    [drawn] = [event for event in draw(steps=2) if isinstance(event, Drawn)]
    assert (drawn.index, drawn.seed, drawn.size, drawn.steps, drawn.prompt_tokens) == (0, 1, (128, 128), 2, 9)
