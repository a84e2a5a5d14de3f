"""What a model's folder says about how to use it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from ovms_core.engine import LoadError
from ovms_core.model_files import read_document
from ovms_imagegen.engine.family import Family
from ovms_imagegen.engine.pipelines import Pipelines
from ovms_imagegen.limits import Defaults, Limits
from ovms_imagegen.messages import Size
from ovms_imagegen.options import ImageOptions
from ovms_imagegen.sizes import parse_size, size_text

OPTIONS_FILE: Final = "ovms_options.json"
"""A model's own defaults for `ImageOptions`, shipped beside its weights; the operator's options are stronger."""


def options_of(folder: Path, given: Mapping[str, Any]) -> ImageOptions:
    """The operator's options, and the model's own where they are silent. Raises `LoadError`."""
    own = read_document(folder, OPTIONS_FILE, dict[str, Any])
    chosen = {name: value for name, value in given.items() if value not in (None, [], {})}
    if "sizes" in chosen or "max_size" in chosen:
        own = {name: value for name, value in own.items() if name not in ("sizes", "max_size", "default_size")}
    try:
        return ImageOptions.model_validate(own | chosen)
    except ValidationError as error:
        raise LoadError(f"'{OPTIONS_FILE}' of the model does not go with its options: {_faults(error)}.") from None


def _faults(error: ValidationError) -> str:
    """Each field at fault, with what is wrong with it."""
    faults = ((".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors(include_url=False))
    return "; ".join(f"{place}: {message}" if place else message for place, message in faults)


def limits_of(options: ImageOptions, pipelines: Pipelines, family: Family, loras: list[str]) -> Limits:
    """What requests may ask for: the options, and where they are silent the model's own ways.

    Raises `LoadError` when the options want what the model cannot do.
    """
    own = pipelines.any.get_generation_config()
    native = (own.width, own.height) if own.width > 0 else (512, 512)
    sizes = [parse_size(size) for size in options.sizes] if options.sizes else None
    defaults = _defaults(options, pipelines, family)
    first = next(iter(defaults.values()))
    limits = Limits(
        default_size=_default_size(options, native, sizes),
        multiple=family.multiple,
        max_size=parse_size(options.max_size) if options.max_size else (2 * native[0], 2 * native[1]),
        sizes=sizes,
        any_size=options.unsupported_size == "nearest",
        max_images=options.max_images or 10,
        default_steps=first.steps,
        max_steps=options.max_steps or 100,
        default_guidance_scale=first.guidance_scale,
        defaults=defaults,
        max_upload_bytes=options.max_upload_bytes or 20 << 20,
        max_upload_pixels=options.max_upload_pixels or 25_000_000,
        generations=pipelines.generation is not None,
        edits=pipelines.image_to_image is not None,
        masks=pipelines.inpainting is not None,
        urls=options.url_folder is not None,
        prefers_urls=options.default_response_format == "url",
        loras=loras,
        unused=sorted(family.unused),
        prompt_tokens=max(encoder.tokens for encoder in family.encoders),
        keeps_guidance=family.keeps_guidance,
        rounds_up=family.rounds_up,
    )
    if options.default_size is None:  # the model's own may be larger than the largest that is allowed
        limits = msgspec.structs.replace(limits, default_size=limits.drawn(limits.default_size))
    _require_possible(limits)
    return limits


def _defaults(options: ImageOptions, pipelines: Pipelines, family: Family) -> dict[str, Defaults]:
    """Of each kind of request that the model can do, text to image first."""
    kinds = {
        "generations": pipelines.generation,
        "edits": pipelines.image_to_image,
        "masks": pipelines.inpainting,
    }
    configs = {kind: pipe.get_generation_config() for kind, pipe in kinds.items() if pipe is not None}
    guidance = 0.0 if "guidance_scale" in family.unused else options.default_guidance_scale
    return {
        kind: Defaults(
            steps=options.default_steps or family.steps or own.num_inference_steps,
            guidance_scale=own.guidance_scale if guidance is None else guidance,
            strength=own.strength,
        )
        for kind, own in configs.items()
    }


def _default_size(options: ImageOptions, native: Size, sizes: list[Size] | None) -> Size:
    if options.default_size:
        return parse_size(options.default_size)
    return native if sizes is None or native in sizes else sizes[0]


def _require_possible(limits: Limits) -> None:
    for size in [limits.default_size, *(limits.sizes or [])]:
        if any(side % limits.multiple for side in size):
            raise LoadError(f"options: size {size_text(size)} must have sides that are multiples of {limits.multiple}.")
    if not limits.allows(limits.default_size):
        shown = size_text(limits.default_size)
        raise LoadError(f"options: default_size {shown} is larger than max_size {size_text(limits.max_size)}.")
    if limits.default_steps > limits.max_steps:
        raise LoadError(f"options: default_steps {limits.default_steps} is more than max_steps {limits.max_steps}.")
