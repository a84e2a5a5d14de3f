"""The options of an image model. Imports nothing heavy: the server validates them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ovms_core.plugin import TaskOptions

SizeText = Annotated[str, Field(pattern=r"^[1-9]\d{0,4}x[1-9]\d{0,4}$")]
SchedulerName = Literal[
    "LCM", "DDIM", "EULER_DISCRETE", "FLOW_MATCH_EULER_DISCRETE", "PNDM", "EULER_ANCESTRAL_DISCRETE"
]


class Lora(BaseModel):
    """A LoRA adapter (``path``), or a mixture of others (``parts``), as a model name of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alias: str = Field(min_length=1, description="The model name that clients use.")
    path: str | None = Field(None, description="The adapter's safetensors file, absolute or in the model's folder.")
    alpha: float = Field(1.0, description="The strength of the adapter.")
    parts: dict[str, float] = Field({}, description="Other aliases with their strengths, for a composite.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.path is None) == (not self.parts):
            raise ValueError(f"LoRA '{self.alias}' needs either 'path' or 'parts'")
        return self


class ImageOptions(TaskOptions):
    """How pictures are drawn, and how much of it a request may ask for.

    What is not set here comes from the model's own ``ovms_options.json``, then from its other files.
    """

    default_size: SizeText | None = Field(
        None, description="Size for requests without one; by default the model's own."
    )
    sizes: list[SizeText] | None = Field(None, min_length=1, description="The only sizes allowed.")
    max_size: SizeText | None = Field(None, description="Largest width and height; by default twice the native ones.")
    unsupported_size: Literal["refuse", "nearest"] | None = Field(
        None, description="For other sizes: refuse (the default), or nearest for the nearest possible size."
    )
    max_images: int | None = Field(
        None, ge=1, le=1000, description="The maximum number of images in a request; by default 10."
    )
    default_steps: int | None = Field(None, ge=1, le=1000, description="Denoising steps; by default the model's own.")
    max_steps: int | None = Field(
        None, ge=1, le=1000, description="The maximum number of denoising steps; by default 100."
    )
    default_guidance_scale: float | None = Field(
        None, ge=0, le=100, description="Guidance; by default the model's own."
    )
    scheduler: SchedulerName | None = Field(None, description="The scheduler; by default the model's own.")
    lora: list[Lora] = Field([], description="LoRA adapters; clients use each one as a model name.")
    truncate_prompts: bool | None = Field(None, description="Cut a prompt that is too long, instead of refusing it.")
    embed_prompt: bool | None = Field(
        None, description="Whether the prompt is written into the file; by default it is."
    )
    max_upload_bytes: int | None = Field(
        None, ge=1, description="The maximum size of an uploaded image; by default 20 MiB."
    )
    max_upload_pixels: int | None = Field(
        None, ge=1, description="Its maximum number of pixels; by default 25 million."
    )
    url_folder: str | None = Field(None, description="Folder for images that are returned as URLs.")
    url_ttl: float | None = Field(None, gt=0, description="How many seconds such a URL works; by default an hour.")
    default_response_format: Literal["b64_json", "url"] | None = Field(
        None, description="For requests without it; by default b64_json. For url, set url_folder too."
    )
    plugin_config: dict[str, Any] = Field({}, description="OpenVINO properties, passed on unchanged.")
    cache_dir: str | None = Field(None, description="Folder for compiled models; by default one of the model's own.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.sizes and self.max_size:
            raise ValueError("set 'sizes' or 'max_size', not both")
        if self.sizes and self.default_size and self.default_size not in self.sizes:
            raise ValueError(f"default_size {self.default_size} is not among sizes: {', '.join(self.sizes)}")
        if self.default_response_format == "url" and self.url_folder is None:
            raise ValueError("default_response_format 'url' needs url_folder: a folder for the pictures")
        _check_parts(self.lora)
        return self


def _check_parts(loras: list[Lora]) -> None:
    names = [lora.alias for lora in loras]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"LoRA alias '{min(twice)}' is used twice")
    with_file = {lora.alias for lora in loras if lora.path}
    for lora in loras:
        if unknown := sorted(set(lora.parts) - with_file):
            raise ValueError(f"LoRA '{lora.alias}': '{unknown[0]}' is not the alias of an adapter with a path")
