"""The engine with a real model, in this process."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageChops
from tests.plugins.ovms_imagegen.conftest import Drawing, as_file, last_file, load, opened

from ovms_core.engine import LoadError, RequestError
from ovms_imagegen import pictures
from ovms_imagegen.engine.generation import ImageGeneration, preview_steps
from ovms_imagegen.engine.pipelines import Pipelines, load_pipelines
from ovms_imagegen.messages import Draw, Drawn, Preview, Stepped, Upload

pytestmark = pytest.mark.real


def difference(first: Image.Image, second: Image.Image) -> float:
    """Mean absolute difference of all channels, 0 to 255."""
    pair = [np.asarray(image.convert("RGB"), dtype=int) for image in (first, second)]
    return float(np.abs(pair[0] - pair[1]).mean())


def is_red(pixel: Any) -> bool:
    return bool(pixel[0] > 150 and pixel[1] < 100 and pixel[2] < 100)


def is_blue(pixel: Any) -> bool:
    return bool(pixel[2] > 130 and pixel[0] < 110)


@pytest.mark.parametrize("prompt", ["a red circle on a blue background", "a large red circle on a blue background"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_red_circle_on_a_blue_background_is_red_in_the_middle_and_blue_in_the_corners(
    draw: Drawing, prompt: str, seed: int
) -> None:
    picture = opened(last_file(draw(prompt, seed=seed)))
    assert picture.size == (128, 128)
    assert is_red(picture.getpixel((64, 64)))
    assert all(is_blue(picture.getpixel((x, y))) for x in (4, 123) for y in (4, 123))


def test_every_step_is_reported(draw: Drawing) -> None:
    events = draw(steps=4)
    assert [(event.step, event.total) for event in events if isinstance(event, Stepped)] == [
        (1, 4),
        (2, 4),
        (3, 4),
        (4, 4),
    ]


def test_the_same_request_gives_the_same_bytes(draw: Drawing) -> None:
    first = last_file(draw(seed=7))
    draw("a green square", seed=8)
    assert last_file(draw(seed=7)) == first


def test_each_of_several_pictures_can_be_made_again_alone_from_its_seed(draw: Drawing) -> None:
    three = [event for event in draw(seed=10, n=3, steps=5) if isinstance(event, Drawn)]
    assert [event.seed for event in three] == [10, 11, 12]
    assert [last_file(draw(seed=event.seed, steps=5)) for event in three] == [event.data for event in three]


def test_a_request_that_runs_again_after_a_crash_draws_only_what_is_missing(draw: Drawing) -> None:
    request = Draw(model="shapes", seed=10, prompt="a red circle", n=3, steps=2)
    events = draw("a red circle", seed=10, n=3, steps=2)
    before = events[: next(at for at, event in enumerate(events) if isinstance(event, Drawn)) + 2]
    resumed = request.resumed(before)
    again = draw("a red circle", seed=10, n=3, steps=2, first=resumed.first)
    finals = [event for event in before + again if isinstance(event, Drawn)]
    assert [event.index for event in finals] == [0, 1, 2]
    assert [event.data for event in finals] == [event.data for event in events if isinstance(event, Drawn)]


def test_a_request_that_runs_again_repeats_no_preview(draw: Drawing) -> None:
    request = Draw(model="shapes", seed=10, prompt="a red circle", n=2, steps=20, partial_images=3)
    events = draw("a red circle", seed=10, n=2, steps=20, partial_images=3)
    pictures = [(type(event).__name__, event.index) for event in events if isinstance(event, Preview | Drawn)]
    assert pictures == [*[("Preview", 0)] * 3, ("Drawn", 0), *[("Preview", 1)] * 3, ("Drawn", 1)]
    died_at = [at for at, event in enumerate(events) if isinstance(event, Preview) and event.number == 1]
    for at in died_at:
        resumed = request.resumed(events[: at + 1])
        again = draw("a red circle", seed=10, n=2, steps=20, partial_images=3, **which(resumed))
        both = [event for event in events[: at + 1] + again if isinstance(event, Preview | Drawn)]
        assert both == [event for event in events if isinstance(event, Preview | Drawn)]


def which(resumed: Draw) -> dict[str, int]:
    return {"first": resumed.first, "previewed": resumed.previewed}


def test_a_second_death_before_anything_new_repeats_no_preview_either() -> None:
    request = Draw(model="shapes", seed=10, prompt="a red circle", n=2, partial_images=3)
    once = request.resumed([Preview(0, 0, 5, 20, (128, 128), b"")])
    assert which(once.resumed([Stepped(0, 1, 20)])) == {"first": 0, "previewed": 1}
    drawn = Drawn(0, 10, (128, 128), 20, 4)
    assert which(once.resumed([drawn])) == {"first": 1, "previewed": 0}
    assert which(once.resumed([drawn, Preview(1, 0, 5, 20, (128, 128), b"")])) == {"first": 1, "previewed": 1}


def test_previews_come_on_the_way_and_grow_like_the_picture(draw: Drawing) -> None:
    events = draw(partial_images=3)
    previews = [event for event in events if isinstance(event, Preview)]
    assert [(event.number, event.step, event.total) for event in previews] == [(0, 5, 20), (1, 10, 20), (2, 15, 20)]
    final = opened(last_file(events))
    distances = [difference(opened(event.data), final) for event in previews]
    assert distances == sorted(distances, reverse=True)


def test_previews_do_not_change_the_picture(draw: Drawing) -> None:
    assert last_file(draw(partial_images=3)) == last_file(draw())


@pytest.mark.parametrize(
    ("total", "count", "steps"), [(20, 3, [5, 10, 15]), (20, 1, [10]), (2, 3, [1]), (1, 3, []), (9, 0, [])]
)
def test_previews_are_spread_evenly(total: int, count: int, steps: list[int]) -> None:
    assert preview_steps(total, count) == steps


def test_a_cancelled_job_stops_within_one_denoising_step(engine: ImageGeneration) -> None:
    steps: list[int] = []

    def progress(event: Any = None, /) -> bool:
        if isinstance(event, Stepped):
            steps.append(event.step)
        return len(steps) >= 3

    engine.run(Draw(model="shapes", seed=1, prompt="a red circle", steps=100), progress)
    assert steps == [1, 2, 3]


def test_an_error_while_reporting_does_not_abort_the_process(engine: ImageGeneration) -> None:
    def progress(event: Any = None, /) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        engine.run(Draw(model="shapes", seed=1, prompt="a red circle", steps=100), progress)


def test_a_picture_becomes_a_file_while_the_next_one_is_drawn(draw: Drawing, monkeypatch: pytest.MonkeyPatch) -> None:
    second_began = threading.Event()
    began: list[int] = []
    drawing, encoding = Pipelines.draw, pictures.encode

    def begin(self: Pipelines, *arguments: Any) -> Any:
        began.append(len(began))
        if len(began) == 2:
            second_began.set()
        return drawing(self, *arguments)

    def encode(*arguments: Any) -> bytes:
        assert second_began.wait(30)
        return encoding(*arguments)

    monkeypatch.setattr(Pipelines, "draw", begin)
    monkeypatch.setattr(pictures, "encode", encode)
    assert sum(isinstance(event, Drawn) for event in draw(n=2, steps=2)) == 2


# -- over a picture


@pytest.fixture(scope="module")
def red_circle(draw: Drawing) -> bytes:
    return last_file(draw())


def test_a_low_strength_stays_close_to_the_picture_and_a_high_one_does_not(draw: Drawing, red_circle: bytes) -> None:
    def edited(strength: float) -> float:
        events = draw("a green square on a white background", image=Upload(red_circle, "image"), strength=strength)
        return difference(opened(last_file(events)), opened(red_circle))

    assert edited(0.1) < 40
    assert edited(0.9) > 100


def test_the_steps_of_an_edit_are_counted_as_they_are(draw: Drawing, red_circle: bytes) -> None:
    events = draw(image=Upload(red_circle, "image"), strength=0.5)
    assert events[-1].steps == 10


def test_inpainting_changes_nothing_outside_the_mask(draw: Drawing, red_circle: bytes) -> None:
    mask = Image.new("L", (128, 128), 0)
    mask.paste(255, (32, 32, 96, 96))
    upload = Upload(as_file(mask), "mask")
    events = draw("a green square on a blue background", image=Upload(red_circle, "image"), mask=upload)
    changed = ImageChops.difference(opened(last_file(events)), opened(red_circle))
    outside = Image.composite(Image.new("RGB", (128, 128)), changed, mask)
    inside = changed.crop((32, 32, 96, 96))
    assert outside.getbbox() is None
    assert np.asarray(inside).mean() > 50


def test_the_transparent_part_of_a_mask_is_what_is_drawn_anew(draw: Drawing, red_circle: bytes) -> None:
    mask = Image.new("RGBA", (128, 128), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 128, 64))
    upload = Upload(as_file(mask), "mask")
    events = draw("a green square", image=Upload(red_circle, "image"), mask=upload, steps=5)
    changed = ImageChops.difference(opened(last_file(events)), opened(red_circle))
    box = changed.getbbox()
    assert box is not None
    assert box[3] <= 64


def test_a_picture_of_another_shape_gives_one_of_about_its_shape(draw: Drawing) -> None:
    wide = as_file(Image.new("RGB", (600, 300), "white"))
    assert draw(image=Upload(wide, "image"), steps=2)[-1].size == (176, 96)


@pytest.mark.parametrize("with_mask", [False, True])
def test_an_edit_has_the_size_that_is_asked_for(draw: Drawing, red_circle: bytes, with_mask: bool) -> None:
    mask = Upload(as_file(Image.new("L", (128, 128), 255)), "mask") if with_mask else None
    events = draw(image=Upload(red_circle, "image"), mask=mask, size=(256, 192), steps=2)
    assert opened(last_file(events)).size == (256, 192)


def test_a_mask_of_another_size_than_the_picture_is_refused(draw: Drawing, red_circle: bytes) -> None:
    mask = Upload(as_file(Image.new("L", (64, 64), 255)), "mask")
    with pytest.raises(RequestError, match="same size, not 64x64 and 128x128") as caught:
        draw(image=Upload(red_circle, "image"), mask=mask)
    assert caught.value.param == "mask"


# -- what is refused


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"size": (100, 100)}, "size", "multiples of 16, up to 256x256"),
        ({"size": (512, 512)}, "size", "up to 256x256; its own: 128x128. .* 'unsupported_size: nearest'"),
        ({"n": 11}, "n", "at most"),
        ({"steps": 101}, "num_inference_steps", "at most 100"),
        ({"seed": 2**32 - 1, "n": 2}, "seed", "4294967295"),
        ({"strength": 0.5}, "strength", "Only edits"),
        ({"max_sequence_length": 20}, "max_sequence_length", "48 tokens"),
        ({"prompt_2": "a dog"}, "prompt_2", "does not use it"),
        ({"negative_prompt": "blue", "guidance_scale": 1.0}, "guidance_scale", "ignores negative prompt"),
        ({"lora_alphas": {"ink": 1.0}}, "lora_alphas", "has none"),
        ({"prompt": "zebra " * 50}, "prompt", "252 tokens, and the model reads 48"),
        ({"negative_prompt": "zebra " * 50}, "negative_prompt", "252 tokens"),
    ],
)
def test_what_the_model_cannot_do_is_refused_with_what_it_can(
    draw: Drawing, fields: dict[str, Any], param: str, message: str
) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        draw(**{"prompt": "a red circle", **fields})
    assert caught.value.param == param
    assert "/" not in caught.value.message


def test_a_strength_that_leaves_no_step_is_refused_with_the_least_that_does(draw: Drawing, red_circle: bytes) -> None:
    with pytest.raises(RequestError, match=r"at least 0\.05"):
        draw(image=Upload(red_circle, "image"), strength=0.01)


# -- the file


def test_a_png_says_how_it_was_made(draw: Drawing) -> None:
    picture = opened(last_file(draw("a red circle", negative_prompt="blue", seed=5, steps=3)))
    assert picture.info["parameters"].splitlines() == [
        "a red circle",
        "Negative prompt: blue",
        "Steps: 3, Sampler: DDIMScheduler, CFG scale: 3.5, Seed: 5, Size: 128x128, Model: shapes",
    ]


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_jpeg_and_webp_say_it_in_exif(draw: Drawing, kind: str) -> None:
    picture = opened(last_file(draw("ein roter Kreis – 赤", seed=5, steps=3, output_format=kind)))
    comment = picture.getexif().get_ifd(0x8769)[0x9286]
    assert picture.format == kind.upper()
    assert comment.startswith(b"UNICODE\0")
    assert "ein roter Kreis – 赤\nSteps: 3" in comment[8:].decode("utf-16-be")


def test_the_prompt_stays_out_of_the_file_when_asked(draw: Drawing) -> None:
    picture = opened(last_file(draw("a red circle", negative_prompt="blue", embed_prompt=False, steps=3)))
    assert picture.info["parameters"].startswith("Steps: 3")


def test_more_compression_makes_a_smaller_file(draw: Drawing) -> None:
    sizes = [len(last_file(draw(output_format="jpeg", output_compression=level, steps=3))) for level in (90, 50, 10)]
    assert sizes == sorted(sizes, reverse=True)


# -- options


def test_limits_are_told(engine: ImageGeneration) -> None:
    limits = engine.info().details["limits"]
    assert limits["default_size"] == (128, 128)
    assert limits["multiple"] == 16
    assert limits["edits"]
    assert limits["masks"]


def test_a_models_own_options_file_is_weaker_than_the_operators(shapes: Path, tmp_path: Path) -> None:
    folder = copied(shapes, tmp_path / "model")
    (folder / "ovms_options.json").write_text('{"default_steps": 7, "default_guidance_scale": 2, "max_images": 3}')
    engine = load(folder, tmp_path, default_steps=None, default_guidance_scale=4.5)
    limits = engine.info().details["limits"]
    engine.close()
    assert (limits["default_steps"], limits["default_guidance_scale"], limits["max_images"]) == (7, 4.5, 3)


def test_a_model_without_vae_encoder_only_draws_from_text(shapes: Path, tmp_path: Path) -> None:
    folder = copied(shapes, tmp_path / "model")
    shutil.rmtree(folder / "vae_encoder")
    engine = load(folder, tmp_path)
    limits = engine.info().details["limits"]
    engine.close()
    assert (limits["generations"], limits["edits"], limits["masks"]) == (True, False, False)


def test_the_scheduler_can_be_chosen(shapes: Path, tmp_path: Path, draw: Drawing) -> None:
    from tests.plugins.ovms_imagegen.conftest import run_to_end

    engine = load(shapes, tmp_path, scheduler="EULER_ANCESTRAL_DISCRETE")
    data = last_file(run_to_end(engine, Draw(model="shapes", seed=1, prompt="a red circle on a blue background")))
    engine.close()
    assert "Sampler: EULER_ANCESTRAL_DISCRETE" in opened(data).info["parameters"]
    assert difference(opened(data), opened(last_file(draw()))) > 1
    assert is_red(opened(data).getpixel((64, 64)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scheduler": "PNDM"}, "cannot use PNDM"),
        ({"default_size": "512x512"}, "larger than max_size"),
        ({"max_size": None, "sizes": ["100x100"]}, "multiples of 16"),
        ({"default_steps": 50, "max_steps": 20}, "more than max_steps"),
        ({"lora": [{"alias": "ink", "path": "ink.safetensors"}]}, "there is no file 'ink.safetensors'"),
        ({"plugin_config": {"NO_SUCH_PROPERTY": 1}}, "plugin_config"),
    ],
)
def test_options_that_cannot_work_stop_the_load_and_say_why(
    shapes: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(LoadError, match=message):
        load(shapes, tmp_path, **options)


@pytest.mark.parametrize("file", ["unet/openvino_model.xml", "tokenizer/openvino_tokenizer.xml"])
def test_a_broken_model_stops_the_load_without_a_word_of_genais_sources(
    shapes: Path, tmp_path: Path, file: str
) -> None:
    folder = copied(shapes, tmp_path / "model")
    (folder / file).write_text("<net")
    with pytest.raises(LoadError, match="GenAI cannot load the model for CPU") as caught:
        load(folder, tmp_path)
    assert not re.search(r"Check '|\.cpp|/home/", str(caught.value))


def copied(model: Path, folder: Path) -> Path:
    """A copy of `model`, to be changed at will."""
    shutil.copytree(model, folder)
    return folder


def test_the_quota_of_a_container_reaches_the_pipelines(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def recorded(folder: Path, device: str, properties: Any) -> Pipelines:
        given.append(properties)
        return load_pipelines(folder, device, properties)

    monkeypatch.setattr("ovms_imagegen.engine.generation.thread_limit", lambda device: {"INFERENCE_NUM_THREADS": 1})
    monkeypatch.setattr("ovms_imagegen.engine.generation.load_pipelines", recorded)
    load(shapes, tmp_path).close()
    assert given[0]["INFERENCE_NUM_THREADS"] == 1
