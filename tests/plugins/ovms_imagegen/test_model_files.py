"""The small files of a model in every form that people have them in, and spoilt."""

from __future__ import annotations

import codecs
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.mutations import Mutation, mutations
from tests.plugins.ovms_imagegen.conftest import Drawing, last_file, load, opened, run_to_end
from tests.plugins.ovms_imagegen.families import save_family

from ovms_core.engine import LoadError
from ovms_imagegen.engine.model_folder import OPTIONS_FILE, options_of
from ovms_imagegen.engine.parts import SCHEDULER, read_parts
from ovms_imagegen.engine.prepared import prepared_folder
from ovms_imagegen.messages import Draw
from ovms_openvino.conversion import missing_tokenizers

TOKENIZER: Final = "tokenizer/tokenizer_config.json"
READ: Final = ("unet/config.json", "text_encoder/config.json", "vae_decoder/config.json", "model_index.json", SCHEDULER)
FILES: Final = (*READ, TOKENIZER, OPTIONS_FILE)


@pytest.fixture
def folder(shapes: Path, tmp_path: Path) -> Path:
    """A copy of `shapes`, to be changed at will."""
    return Path(shutil.copytree(shapes, tmp_path / "model"))


@pytest.fixture(scope="module")
def small(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `shapes` without its weights."""
    target = tmp_path_factory.mktemp("small") / "model"
    return Path(shutil.copytree(shapes, target, ignore=shutil.ignore_patterns("openvino_model.*")))


def change(file: Path, **values: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def without_openvino_tokenizer(folder: Path) -> None:
    for file in (folder / "tokenizer").glob("openvino_*"):
        file.unlink()


def with_vocabulary_and_merges(folder: Path) -> None:
    """The tokenizer as Stable Diffusion 1.5 has it, instead of a ``tokenizer.json``."""
    file = folder / "tokenizer" / "tokenizer.json"
    model = json.loads(file.read_text())["model"]
    file.with_name("vocab.json").write_bytes(codecs.BOM_UTF8 + json.dumps(model["vocab"]).encode())
    file.with_name("merges.txt").write_text("\n".join(["#version: 0.2", *map(" ".join, model["merges"])]))
    file.unlink()


def drawn(folder: Path, work_dir: Path, **options: Any) -> bytes:
    """The pixels of a picture by the model in `folder`."""
    engine = load(folder, work_dir, **options)
    events = run_to_end(engine, Draw(model="shapes", seed=1, prompt="a red circle on a blue background"))
    engine.close()
    return opened(last_file(events)).tobytes()


def prepare(folder: Path, work_dir: Path, scheduler: str | None = None) -> Path:
    return prepared_folder(folder, read_parts(folder, scheduler), work_dir, scheduler)


# -- forms that other readers take


@pytest.mark.real
def test_a_folder_in_every_odd_form_at_once_draws_the_same_picture(folder: Path, tmp_path: Path, draw: Drawing) -> None:
    eos = {"__type": "AddedToken", "content": "<|endoftext|>", "lstrip": False, "special": True}
    change(folder / TOKENIZER, eos_token=eos, pad_token={"content": "<|endoftext|>"}, odd=float("nan"), large=10**30)
    change(folder / "unet/config.json", sample_size=[8, 8], rope_theta=float("inf"))
    change(folder / SCHEDULER, _class_name="UniPCMultistepScheduler")  # which GenAI does not have
    for name in FILES:
        text = json.dumps(json.loads((folder / name).read_text()), indent=2)
        (folder / name).write_bytes(codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode())
    without_openvino_tokenizer(folder)
    with_vocabulary_and_merges(folder)
    assert drawn(folder, tmp_path / "work", scheduler="DDIM") == opened(last_file(draw())).tobytes()


def test_what_genai_takes_as_it_is_stays_where_it_is(small: Path, tmp_path: Path) -> None:
    assert prepare(small, tmp_path) == small


def test_tokenizers_are_converted_once(folder: Path, tmp_path: Path) -> None:
    without_openvino_tokenizer(folder)
    made = prepare(folder, tmp_path) / "tokenizer" / "openvino_tokenizer.xml"
    before = made.stat().st_mtime_ns
    prepare(folder, tmp_path)
    assert made.stat().st_mtime_ns == before
    assert not list((folder / "tokenizer").glob("openvino_*"))


def test_every_tokenizer_of_a_model_is_converted(shapes: Path, tmp_path: Path) -> None:
    model = save_family(tmp_path / "model", "StableDiffusion3Pipeline", shapes / "tokenizer")
    names = ("tokenizer", "tokenizer_2", "tokenizer_3")
    for name in names[1:]:
        (model / name / "openvino_tokenizer.bin").unlink()  # half a pair is none
    folder = prepare(model, tmp_path / "work")
    assert [name for name in names if missing_tokenizers(folder / name)] == []


def test_a_tokenizer_that_cannot_be_converted_is_an_error_with_the_command_that_makes_it(
    folder: Path, tmp_path: Path
) -> None:
    without_openvino_tokenizer(folder)
    (folder / "tokenizer" / "tokenizer.json").unlink()
    with pytest.raises(
        LoadError, match=r"'convert_tokenizer ORIGINAL_MODEL --subfolder tokenizer .*-o FOLDER/tokenizer'"
    ):
        prepare(folder, tmp_path)


# -- spoilt ones


def spoilt(original: Path, folder: Path, count: int = 200) -> Iterator[tuple[Mutation, Path]]:
    """A model with one spoilt file after the other."""
    shutil.copytree(original, folder, dirs_exist_ok=True)
    for mutation in mutations(original, FILES, count):
        mutation.apply(folder)
        yield mutation, folder
        shutil.copyfile(original / mutation.file, folder / mutation.file)


def fault(folder: Path, work_dir: Path) -> str | None:
    """Why the model is refused before GenAI sees it; `None` when it is not."""
    try:
        options = options_of(folder, {})
        prepare(folder, work_dir, options.scheduler)
    except LoadError as error:
        return str(error)
    return None


def test_a_spoilt_file_is_named_with_its_key_or_read_all_the_same(small: Path, tmp_path: Path) -> None:
    refused = 0
    for mutation, folder in spoilt(small, tmp_path / "model"):
        told = fault(folder, tmp_path / "work")
        refused += told is not None
        assert told is None or mutation.file in told, f"{mutation}: {told}"
        key = re.match(r"\$\.(\w+)", mutation.what)
        if told is not None and key is not None and "cannot be read" not in told:
            assert key[1] in told, f"{mutation}: {told}"
    assert 80 < refused < 160


@pytest.mark.real
def test_what_is_read_all_the_same_draws(small: Path, shapes: Path, tmp_path: Path) -> None:
    harmless = {
        mutation.file: mutation
        for mutation, folder in spoilt(small, tmp_path / "small", 120)
        if fault(folder, tmp_path / "work") is None
    }
    model = Path(shutil.copytree(shapes, tmp_path / "model"))
    for mutation in harmless.values():
        mutation.apply(model)
    assert set(harmless) == set(FILES)
    assert drawn(model, tmp_path / "work"), harmless


@pytest.mark.real
@pytest.mark.parametrize(
    ("file", "values", "told"),
    [
        ("vae_decoder/config.json", {"latent_channels": 1}, r"cannot draw: .*vae_decoder/config\.json"),
        (SCHEDULER, {"thresholding": True}, r"'thresholding' is not supported.* scheduler/scheduler_config\.json"),
    ],
)
def test_what_the_weights_or_genai_cannot_follow_stops_the_load(
    folder: Path, tmp_path: Path, file: str, values: dict[str, Any], told: str
) -> None:
    change(folder / file, **values)
    with pytest.raises(LoadError, match=told):
        load(folder, tmp_path)


@pytest.mark.parametrize(
    ("file", "values", "told"),
    [
        (SCHEDULER, {"_class_name": "DPMSolverMultistepScheduler"}, "Set options.scheduler to one that it has: DDIM"),
        (SCHEDULER, {"_class_name": ["DDIMScheduler"]}, "_class_name"),
        (SCHEDULER, {"_class_name": "LCMScheduler"}, "prediction_type"),  # ends the process: the model predicts v
        (SCHEDULER, {"num_train_timesteps": 100_000}, "num_train_timesteps"),  # takes minutes
        ("model_index.json", {"vae": ["diffusers", "AutoencoderTiny"]}, "the class of 'vae' is 'AutoencoderTiny'"),
        ("model_index.json", {"_class_name": "FluxPipeline"}, "FluxPipeline.* GenAI only has T5EncoderModel"),
        (TOKENIZER, {"pad_token": {"lstrip": False}}, "pad_token"),
    ],
)
def test_what_genai_would_not_take_is_told_before_it_is_asked(
    folder: Path, tmp_path: Path, file: str, values: dict[str, Any], told: str
) -> None:
    change(folder / file, **values)
    assert re.search(f"'{file}' of the model.*{told}", fault(folder, tmp_path) or "")
