"""The small files of a diffusion model, with the types that GenAI needs in them (2026.4).

GenAI names neither the file nor the key when it meets another type, and takes some values for good that end the
process later: so they are checked before it reads them.
https://github.com/openvinotoolkit/openvino.genai/tree/master/src/cpp/src/image_generation
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from ovms_core.engine import LoadError
from ovms_core.model_files import checked, read_document
from ovms_imagegen.engine.schedulers import Scheduler, scheduler_kinds

C = TypeVar("C", bound=Struct)

INDEX: Final = "model_index.json"
SCHEDULER: Final = "scheduler/scheduler_config.json"

Count = Annotated[int, Meta(ge=1, le=1 << 20)]
Factor = Annotated[float, Meta(gt=0, le=1e6)]
Shift = Annotated[float, Meta(ge=-1e6, le=1e6)]

Part = tuple[str | None, str | None]
"""A library and the class in it that a part of the model is."""


class Index(Struct):
    """``model_index.json``."""

    pipeline: str = msgspec.field(name="_class_name", default="")
    text_encoder: Part | None = None
    text_encoder_2: Part | None = None
    text_encoder_3: Part | None = None
    unet: Part | None = None
    transformer: Part | None = None
    vae: Part | None = None
    is_distilled: bool | None = None
    force_zeros_for_empty_prompt: bool | None = None


class TextEncoder(Struct):
    """``text_encoder/config.json``, and those of the second and third one."""

    model_type: str | None = None
    max_position_embeddings: Count | None = None
    num_hidden_layers: Count | None = None
    hidden_size: Count | None = None
    hidden_states_layers: list[Count] | None = None


class Denoiser(Struct):
    """``unet/config.json`` or ``transformer/config.json``."""

    in_channels: Count | None = None
    sample_size: Count | Annotated[list[Count], Meta(min_length=1)] | None = None
    patch_size: Count | None = None
    time_cond_proj_dim: Count | None = None
    joint_attention_dim: Count | None = None
    guidance_embeds: bool | None = None


class Vae(Struct):
    """``vae_decoder/config.json``; GenAI knows by `block_out_channels` alone how many pixels a latent is wide."""

    block_out_channels: Annotated[list[Count], Meta(min_length=1, max_length=10)]
    in_channels: Count | None = None
    latent_channels: Count | None = None
    out_channels: Count | None = None
    scaling_factor: Factor | None = None
    shift_factor: Shift | None = None
    patch_size: list[Count] | None = None
    batch_norm_eps: Factor | None = None
    bn_running_mean_data: list[float] | None = None
    bn_running_var_data: list[float] | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What the small files of a model say; `denoiser` is the folder of the UNet or transformer."""

    index: Index
    denoiser: str
    denoising: Denoiser
    encoders: dict[str, TextEncoder]
    vae: Vae
    scheduler: Scheduler

    @property
    def names(self) -> list[str]:
        """The files that these are from."""
        folders = [self.denoiser, *self.encoders, "vae_decoder"]
        return [INDEX, SCHEDULER, *(f"{folder}/config.json" for folder in folders)]


_CLIP, _CLIP_PROJECTED, _T5 = "CLIPTextModel", "CLIPTextModelWithProjection", "T5EncoderModel"
_UNET: Final = {"unet": ("UNet2DConditionModel",), "vae": ("AutoencoderKL",)}
_CLASSES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "StableDiffusionXL": {"text_encoder": (_CLIP,), "text_encoder_2": (_CLIP_PROJECTED,), **_UNET},
    "StableDiffusion3": {
        "text_encoder": (_CLIP_PROJECTED,),
        "text_encoder_2": (_CLIP_PROJECTED,),
        "transformer": ("SD3Transformer2DModel",),
        "vae": ("AutoencoderKL",),
    },
    "Flux2": {
        "text_encoder": ("Qwen3ForCausalLM",),
        "transformer": ("Flux2Transformer2DModel",),
        "vae": ("AutoencoderKLFlux2", "AutoencoderKL"),
    },
    "Flux": {
        "text_encoder": (_CLIP,),
        "text_encoder_2": (_T5,),
        "transformer": ("FluxTransformer2DModel",),
        "vae": ("AutoencoderKL",),
    },
    "": {"text_encoder": (_CLIP,), **_UNET},
}
"""The parts of a pipeline, by how its name begins, and the classes that GenAI has for each."""


def read_parts(folder: Path, scheduler: str | None = None) -> Parts:
    """The small files of the model in `folder`, to be drawn with `scheduler` if that is not its own.

    Raises `LoadError`, naming the file and the key, for one that is missing or that GenAI cannot take.
    """
    index = _required(folder, INDEX, Index)
    classes = next(classes for start, classes in _CLASSES.items() if index.pipeline.startswith(start))
    for part, known in classes.items():
        _check_class(index, part, known)
    denoiser = "unet" if "unet" in classes else "transformer"
    return Parts(
        index=index,
        denoiser=denoiser,
        denoising=_required(folder, f"{denoiser}/config.json", Denoiser),
        encoders={name: _required(folder, f"{name}/config.json", TextEncoder) for name in _encoders(index)},
        vae=_required(folder, "vae_decoder/config.json", Vae),
        scheduler=_scheduler(folder, scheduler),
    )


def _encoders(index: Index) -> Iterator[str]:
    for name in ("text_encoder", "text_encoder_2", "text_encoder_3"):
        part = getattr(index, name)
        if part is not None and part[1] is not None:
            yield name


def _check_class(index: Index, part: str, known: tuple[str, ...]) -> None:
    named = getattr(index, part)
    found = named[1] if named else None
    if found not in known:
        raise LoadError(
            f"'{INDEX}' of the model: the class of '{part}' is {str(found)[:40]!a}, and for {index.pipeline[:40]!a} "
            f"GenAI only has {' and '.join(known)}. Mend it, or export the model anew."
        )


def _scheduler(folder: Path, chosen: str | None) -> Scheduler:
    document = _document(folder, SCHEDULER)
    read = [checked(document, kind, SCHEDULER) for kind in scheduler_kinds(document, chosen, SCHEDULER)]
    return read[0]


def _required(folder: Path, name: str, kind: type[C]) -> C:
    return checked(_document(folder, name), kind, name)


def _document(folder: Path, name: str) -> dict[str, Any]:
    if not (folder / name).exists():
        raise LoadError(f"'{name}' of the model is missing. Fetch the model anew, or export it anew.")
    return read_document(folder, name, dict[str, Any])
