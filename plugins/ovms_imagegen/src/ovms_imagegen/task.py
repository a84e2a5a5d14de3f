"""The task ``image_generation``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ovms_core.plugin import ModelFiles, Task
from ovms_imagegen.messages import AnyEvent, Draw
from ovms_imagegen.options import ImageOptions

PIPELINES: Final = frozenset(
    {
        "Flux2KleinPipeline",
        "FluxFillPipeline",
        "FluxInpaintPipeline",
        "FluxPipeline",
        "LatentConsistencyModelPipeline",
        "StableDiffusion3InpaintPipeline",
        "StableDiffusion3Pipeline",
        "StableDiffusionInpaintPipeline",
        "StableDiffusionPipeline",
        "StableDiffusionXLInpaintPipeline",
        "StableDiffusionXLPipeline",
    }
)
"""What GenAI loads, by the `_class_name` of ``model_index.json``."""


def detect(files: ModelFiles) -> int:
    """How sure it is that `files` are a diffusion model in OpenVINO's format."""
    named = files.json("model_index.json").get("_class_name")
    known = isinstance(named, str) and named in PIPELINES
    return 90 if known and files.has("unet/openvino_model.xml", "transformer/openvino_model.xml") else 0


def variants(options: Any) -> Iterable[str]:
    """The model names that LoRA adapters add."""
    return [lora.alias for lora in ImageOptions.model_validate(options).lora]


IMAGE_GENERATION: Final = Task(
    name="image_generation",
    engine="ovms_imagegen.engine.generation:ImageGeneration",
    options=ImageOptions,
    request=Draw,
    event=AnyEvent,
    detect=detect,
    variants=variants,
)
