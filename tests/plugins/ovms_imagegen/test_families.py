"""Every family that GenAI loads, through its real pipelines, on models of a few operations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.plugins.ovms_imagegen.conftest import as_file, last_file, load, opened, run_to_end
from tests.plugins.ovms_imagegen.families import CLASSES, save_family, write_json

from ovms_core.engine import LoadError, RequestError
from ovms_core.model_files import ModelFiles
from ovms_imagegen.engine.family import Encoder, family_of
from ovms_imagegen.engine.generation import ImageGeneration
from ovms_imagegen.engine.parts import read_parts
from ovms_imagegen.http.bodies import VariationBody
from ovms_imagegen.http.endpoints import Variations
from ovms_imagegen.limits import Limits
from ovms_imagegen.messages import Draw, Preview, Stepped, Upload
from ovms_imagegen.task import PIPELINES, detect

pytestmark = pytest.mark.real

PICTURE = Upload(as_file(Image.new("RGB", (64, 64), "white")), "image")
MASK = Upload(as_file(Image.new("L", (64, 64), 255)), "mask")
OVER = {"generations": {}, "edits": {"image": PICTURE}, "masks": {"image": PICTURE, "mask": MASK}}
INPAINTING_ONLY = ("FluxFillPipeline", "StableDiffusionInpaintPipeline")
NATIVE = {"default_steps": None, "default_guidance_scale": None, "max_size": None}


class Families:
    """An engine of each family, made when it is first asked for."""

    def __init__(self, folder: Path, tokenizer: Path) -> None:
        self._folder = folder
        self._tokenizer = tokenizer
        self._engines: dict[str, ImageGeneration] = {}

    def engine(self, name: str) -> ImageGeneration:
        if name not in self._engines:
            self._engines[name] = self.new(name)
        return self._engines[name]

    def new(self, name: str, options: dict[str, Any] | None = None, **changes: Any) -> ImageGeneration:
        number = len(list(self._folder.iterdir()))
        folder = save_family(self._folder / str(number), name, self._tokenizer, **changes)
        return load(folder, folder.parent / "work", **NATIVE | (options or {}))

    def draw(self, name: str, **fields: Any) -> list[Any]:
        return draw(self.engine(name), **fields)

    def close(self) -> None:
        for engine in self._engines.values():
            engine.close()


def draw(engine: ImageGeneration, **fields: Any) -> list[Any]:
    request = {"model": "shapes", "seed": 1, "prompt": "a red circle", "steps": 4, "size": (64, 64), **fields}
    return run_to_end(engine, Draw(**request))


def pixels(events: list[Any]) -> bytes:
    return opened(last_file(events)).tobytes()


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory, shapes: Path) -> Iterator[Families]:
    families = Families(tmp_path_factory.mktemp("families"), shapes / "tokenizer")
    yield families
    families.close()


@contextmanager
def engine_of(families: Families, name: str, **given: Any) -> Iterator[ImageGeneration]:
    """An engine that no other test has asked anything."""
    engine = families.new(name, **given)
    yield engine
    engine.close()


def kinds(name: str) -> list[str]:
    return ["masks"] if name in INPAINTING_ONLY else list(OVER)


EVERY_KIND = [(name, kind) for name in CLASSES for kind in kinds(name)]


@pytest.mark.parametrize(("name", "kind"), EVERY_KIND)
def test_every_family_draws_and_gives_the_same_bytes_again(families: Families, name: str, kind: str) -> None:
    events = families.draw(name, **OVER[kind])
    assert opened(last_file(events)).size == (64, 64)
    families.draw(name, **OVER[kind], seed=9, prompt="a blue square")
    assert last_file(families.draw(name, **OVER[kind])) == last_file(events)


@pytest.mark.parametrize(("name", "kind"), EVERY_KIND)
def test_every_step_is_told_however_fast_the_model_is(families: Families, name: str, kind: str) -> None:
    events = families.draw(name, **OVER[kind], steps=8)
    told = [event.step for event in events if isinstance(event, Stepped)]
    assert told == list(range(1, events[-1].steps + 1))


@pytest.mark.parametrize(("name", "kind"), EVERY_KIND)
def test_the_prompt_tells(families: Families, name: str, kind: str) -> None:
    assert pixels(families.draw(name, **OVER[kind], prompt="a")) != pixels(families.draw(name, **OVER[kind]))


@pytest.mark.parametrize("name", [name for name in CLASSES if name not in INPAINTING_ONLY])
def test_previews_have_the_pictures_size(families: Families, name: str) -> None:
    events = families.draw(name, partial_images=1, size=(64, 96), steps=20)
    assert {event.size for event in events if isinstance(event, Preview)} <= {(64, 96)}
    assert opened(last_file(events)).size == (64, 96)


@pytest.mark.parametrize("name", INPAINTING_ONLY)
@pytest.mark.parametrize(("kind", "param"), [("generations", "model"), ("edits", "mask")])
def test_a_model_for_inpainting_asks_for_a_picture_and_a_mask(
    families: Families, name: str, kind: str, param: str
) -> None:
    with pytest.raises(RequestError, match="mask") as caught:
        families.draw(name, **OVER[kind])
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("name", "kind", "steps", "guidance", "strength"),
    [
        ("StableDiffusionPipeline", "generations", 50, 7.5, 1.0),
        ("StableDiffusionPipeline", "edits", 50, 7.5, 0.8),
        ("LatentConsistencyModelPipeline", "generations", 4, 8.5, 1.0),
        ("StableDiffusionXLPipeline", "generations", 50, 5.0, 1.0),
        ("StableDiffusionXLPipeline", "edits", 50, 5.0, 0.3),
        ("StableDiffusionXLPipeline", "masks", 50, 7.5, 0.9999),
        ("StableDiffusion3Pipeline", "edits", 28, 7.0, 0.6),
        ("FluxPipeline", "generations", 28, 3.5, 1.0),
        ("FluxPipeline", "edits", 28, 7.0, 0.6),
        ("FluxFillPipeline", "masks", 50, 30.0, 1.0),
    ],
)
def test_defaults_are_those_of_the_family_and_of_what_is_done(
    families: Families, name: str, kind: str, steps: int, guidance: float, strength: float
) -> None:
    own = families.engine(name).info().details["limits"]["defaults"][kind]
    assert own == {"steps": steps, "guidance_scale": guidance, "strength": pytest.approx(strength)}


@pytest.mark.parametrize("name", ["StableDiffusionXLPipeline", "FluxPipeline"])
def test_the_file_says_by_which_strength_it_was_made(families: Families, name: str) -> None:
    strength = {"StableDiffusionXLPipeline": "0.3", "FluxPipeline": "0.6"}[name]
    described = opened(last_file(families.draw(name, image=PICTURE))).info["parameters"]
    assert f"Denoising strength: {strength}" in described


ONLY_PROMPT = {"prompt_2", "prompt_3", "max_sequence_length"}


@pytest.mark.parametrize(
    ("name", "changes", "unused"),
    [
        ("StableDiffusionPipeline", {}, ONLY_PROMPT),
        ("LatentConsistencyModelPipeline", {}, ONLY_PROMPT | {"negative_prompt"}),
        ("StableDiffusionXLPipeline", {}, {"prompt_3", "max_sequence_length"}),
        ("StableDiffusion3Pipeline", {}, {"max_sequence_length"}),
        ("StableDiffusion3Pipeline", {"text_encoder_3": None}, {"prompt_3", "max_sequence_length"}),
        ("FluxPipeline", {}, {"prompt_3", "negative_prompt", "max_sequence_length"}),
        (
            "FluxPipeline",
            {"guidance_embeds": False},
            {"prompt_3", "negative_prompt", "max_sequence_length", "guidance_scale"},
        ),
        ("FluxFillPipeline", {}, {"prompt_3", "negative_prompt", "max_sequence_length", "strength"}),
    ],
)
def test_what_a_family_does_not_use_is_refused_and_the_rest_is_not(
    families: Families, name: str, changes: dict[str, Any], unused: set[str]
) -> None:
    values: dict[str, Any] = dict.fromkeys(("prompt_2", "prompt_3", "negative_prompt"), "a")
    values |= {"max_sequence_length": 30, "guidance_scale": 5.0, "strength": 0.7}
    with engine_of(families, name, **changes) as engine:
        refused = {refusal(engine, OVER["masks"] | {field: value}) for field, value in values.items()}
    assert refused - {None} == unused


def refusal(engine: ImageGeneration, fields: dict[str, Any]) -> str | None:
    """The field that is refused, if one is."""
    try:
        draw(engine, **fields)
    except RequestError as error:
        return error.param
    return None


@pytest.mark.parametrize("name", ["LatentConsistencyModelPipeline", "FluxPipeline"])
def test_blank_prompts_that_are_not_used_do_no_harm(families: Families, name: str) -> None:
    blank = families.draw(name, negative_prompt="", prompt_3="")
    assert pixels(blank) == pixels(families.draw(name))


def test_a_distilled_flux_has_few_steps_and_no_guidance(families: Families) -> None:
    with engine_of(families, "FluxPipeline", guidance_embeds=False) as engine:
        assert engine.info().details["limits"]["default_steps"] == 4
        assert engine.info().details["limits"]["default_guidance_scale"] == 0
        assert pixels(draw(engine, guidance_scale=0.0)) == pixels(draw(engine))


@pytest.mark.parametrize("default", [7.0, 1.0])
def test_stable_diffusion_3_stays_on_its_side_of_guidance_and_goes_on_working(
    families: Families, default: float
) -> None:
    other = 8.0 - default
    with engine_of(families, "StableDiffusion3Pipeline", options={"default_guidance_scale": default}) as engine:
        with pytest.raises(RequestError, match="over 1" if default > 1 else "at most 1") as caught:
            draw(engine, guidance_scale=other)
        assert caught.value.param == "guidance_scale"
        draw(engine)


@pytest.mark.parametrize("name", ["StableDiffusion3Pipeline", "FluxPipeline", "FluxFillPipeline"])
def test_a_scheduler_that_is_tried_out_changes_nothing(families: Families, name: str) -> None:
    options = {"default_guidance_scale": 1.0, "scheduler": "FLOW_MATCH_EULER_DISCRETE"}
    over = OVER[kinds(name)[-1]]
    with engine_of(families, name, options=options) as engine:
        assert pixels(draw(engine, **over)) == pixels(draw(engine, **over))


@pytest.mark.parametrize("name", ["StableDiffusion3Pipeline", "FluxFillPipeline"])
def test_a_scheduler_of_another_family_stops_the_load(families: Families, name: str) -> None:
    with pytest.raises(LoadError, match=r"options\.scheduler: the model cannot use DDIM"):
        families.new(name, {"scheduler": "DDIM"})


def test_stable_diffusion_3_without_t5_takes_any_guidance(families: Families) -> None:
    with engine_of(families, "StableDiffusion3Pipeline", text_encoder_3=None) as engine:
        guided = pixels(draw(engine))
        draw(engine, guidance_scale=1.0)
        assert pixels(draw(engine)) == guided


@pytest.mark.parametrize(
    ("name", "field", "tokens"),
    [
        ("StableDiffusionXLPipeline", "prompt", 20),
        ("StableDiffusionXLPipeline", "prompt_2", 20),
        ("StableDiffusion3Pipeline", "prompt", 256),
        ("StableDiffusion3Pipeline", "prompt_2", 20),
        ("StableDiffusion3Pipeline", "prompt_3", 256),
        ("FluxPipeline", "prompt", 512),
        ("FluxPipeline", "prompt_2", 512),
    ],
)
def test_a_prompt_may_be_as_long_as_its_longest_reader_takes(
    families: Families, name: str, field: str, tokens: int
) -> None:
    words = {"prompt": "a", field: "a " * (tokens - 2)}
    families.draw(name, **words)
    with pytest.raises(RequestError, match=f"{tokens + 1} tokens, and the model reads {tokens}") as caught:
        families.draw(name, **words | {field: "a " * (tokens - 1)})
    assert caught.value.param == field


@pytest.mark.parametrize(("name", "tokens"), [("StableDiffusion3Pipeline", 256), ("FluxPipeline", 512)])
def test_t5_reads_as_many_tokens_as_ever(families: Families, name: str, tokens: int) -> None:
    """GenAI takes the first request's `max_sequence_length` for good, and fails every other one."""
    with pytest.raises(RequestError, match=f"always reads {tokens} tokens"):
        families.draw(name, max_sequence_length=64)
    assert pixels(families.draw(name, max_sequence_length=tokens)) == pixels(families.draw(name))


def test_with_a_prompt_of_its_own_for_t5_the_prompt_is_clips_alone(families: Families) -> None:
    with pytest.raises(RequestError, match="reads 20") as caught:
        families.draw("FluxPipeline", prompt="a " * 30, prompt_2="a")
    assert caught.value.param == "prompt"


@pytest.mark.parametrize(
    ("name", "multiple"),
    [
        ("StableDiffusionPipeline", 8),
        ("StableDiffusionXLPipeline", 8),
        ("StableDiffusion3Pipeline", 16),
        ("FluxPipeline", 16),
        ("FluxFillPipeline", 16),
    ],
)
def test_sizes_are_multiples_of_what_the_model_takes_in_as_one(families: Families, name: str, multiple: int) -> None:
    over = OVER[kinds(name)[-1]]
    families.draw(name, size=(64 + multiple, 64), **over)
    with pytest.raises(RequestError, match=f"multiples of {multiple}"):
        families.draw(name, size=(64 + multiple // 2, 64), **over)


def test_a_strength_that_leaves_no_step_is_refused_before_the_job_is_taken_on(families: Families) -> None:
    with pytest.raises(RequestError, match=r"Strength 0\.3 of 3 steps leaves none"):
        families.engine("StableDiffusionXLPipeline").add(1, Draw(model="", seed=1, prompt="a", steps=3, image=PICTURE))
    assert families.draw("FluxPipeline", steps=1, image=PICTURE, strength=0.1)[-1].steps == 1


@pytest.mark.parametrize(("name", "strength"), [("FluxPipeline", 0.7), ("FluxFillPipeline", None)])
def test_a_variation_has_a_strength_only_where_there_is_one(
    families: Families, name: str, strength: float | None
) -> None:
    request, body = Draw(model="", seed=1, prompt=""), VariationBody(image=PICTURE.data)
    Variations().complete(request, body, Limits.of(families.engine(name).info()))
    assert request.strength == strength


# -- folders


@pytest.mark.parametrize("name", sorted(PIPELINES))
def test_every_pipeline_that_genai_loads_is_detected(tmp_path: Path, name: str) -> None:
    write_json(tmp_path / "model_index.json", {"_class_name": name})
    (tmp_path / "transformer").mkdir()
    (tmp_path / "transformer" / "openvino_model.xml").touch()
    assert detect(ModelFiles.at(tmp_path)) == 90


@pytest.mark.parametrize("distilled", [True, False])
def test_flux_2_reads_one_long_prompt_and_has_no_strength(tmp_path: Path, distilled: bool) -> None:
    classes = {
        "text_encoder": "Qwen3ForCausalLM",
        "transformer": "Flux2Transformer2DModel",
        "vae": "AutoencoderKLFlux2",
    }
    index = {"_class_name": "Flux2KleinPipeline", "is_distilled": distilled}
    write_json(tmp_path / "model_index.json", index | {part: ["diffusers", name] for part, name in classes.items()})
    write_json(tmp_path / "scheduler" / "scheduler_config.json", {"_class_name": "FlowMatchEulerDiscreteScheduler"})
    write_json(tmp_path / "text_encoder" / "config.json", {"model_type": "qwen3", "max_position_embeddings": 40960})
    write_json(tmp_path / "transformer" / "config.json", {"in_channels": 128})
    write_json(tmp_path / "vae_decoder" / "config.json", {"block_out_channels": [1, 1, 1, 1]})
    family = family_of(read_parts(tmp_path))
    assert family.encoders == (Encoder("tokenizer", "prompt", 496),)
    assert family.multiple == 16
    unguided = {"guidance_scale"} if distilled else set()
    assert family.unused == {"prompt_2", "prompt_3", "negative_prompt", "strength"} | unguided
    assert family.steps == (4 if distilled else None)
