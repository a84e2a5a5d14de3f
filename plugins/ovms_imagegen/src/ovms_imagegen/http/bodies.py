"""The requests as clients write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ovms_core.plugin import Body, Int, Part, fault
from ovms_imagegen.http.base64_text import from_base64
from ovms_imagegen.limits import MAX_SEED
from ovms_imagegen.messages import OutputFormat

MAX_PROMPT: int = 32_000
"""Characters, as OpenAI has it."""

Prompt = Annotated[str, Field(max_length=MAX_PROMPT)]
Seed = Annotated[Int, Field(ge=0, le=MAX_SEED)]


def _data_url(url: str) -> bytes:
    head, comma, content = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        raise fault("A picture must be a data URL (data:image/png;base64,...); other URLs are not fetched.")
    try:
        return from_base64(content)
    except ValueError:
        raise fault("The data URL is not valid base64.") from None


def _decoded(value: object) -> bytes:
    """A form's file as it is; in JSON what a data URL holds."""
    return value if isinstance(value, bytes) else _data_url(value if isinstance(value, str) else "")


class PictureUrl(Part):
    """A picture of a JSON body, ``{"image_url": "data:image/png;base64,..."}``, decoded."""

    image_url: Annotated[bytes, BeforeValidator(_decoded)]
    type: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_no_file(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("file_id") and not value.get("image_url"):
            raise fault(
                "No files are kept here: send the picture itself, as a data URL in 'image_url'.", field="file_id"
            )
        return value


def _picture(value: object) -> object:
    return value if isinstance(value, dict) else _decoded(value)


Picture = Annotated[bytes | PictureUrl, BeforeValidator(_picture)]
"""A form's file, or in JSON a data URL, alone or in an object."""


def file_of(picture: bytes | PictureUrl) -> bytes:
    """The bytes of the picture's file."""
    return picture.image_url if isinstance(picture, PictureUrl) else picture


class ImageBody(Body):
    """What all three endpoints understand."""

    ignored: ClassVar[frozenset[str]] = frozenset(
        {
            "metadata",
            "prediction",
            "prompt_cache_key",
            "safety_identifier",
            "service_tier",
            "store",
            "user",
            "verbosity",
            "web_search_options",
        }
    )

    of_openai: ClassVar[frozenset[str]] = frozenset(
        {"background", "complexity", "input_fidelity", "moderation", "quality", "style"}
    )
    """Fields with a meaning for OpenAI's models only: their values are checked, and then nothing is done with them."""

    prompt: Prompt
    n: Annotated[Int, Field(ge=1)] = 1
    size: str = "auto"
    response_format: Literal["b64_json", "url"] | None = None
    output_format: OutputFormat = "png"
    output_compression: Annotated[Int, Field(ge=0, le=100)] = 100
    seed: Seed | None = None
    rng_seed: Seed | None = None
    num_inference_steps: Annotated[Int, Field(ge=1)] | None = None
    guidance_scale: Annotated[float, Field(ge=0, le=100)] | None = None
    negative_prompt: Prompt | None = None
    prompt_2: Prompt | None = None
    prompt_3: Prompt | None = None
    max_sequence_length: Annotated[Int, Field(ge=1, le=512)] | None = None
    strength: Annotated[float, Field(ge=0, le=1)] | None = None
    lora_alphas: dict[str, Annotated[float, Field(ge=-100, le=100)]] = Field(default_factory=dict)
    embed_prompt: bool = True
    stream: bool = False
    partial_images: Annotated[Int, Field(ge=0, le=3)] = 0
    background: Literal["auto", "opaque", "transparent"] | None = None
    complexity: Literal["low", "medium", "high"] | None = None
    input_fidelity: Literal["low", "high"] | None = None
    moderation: Literal["auto", "low"] | None = None
    quality: Literal["auto", "low", "medium", "high", "xhigh", "max", "standard", "hd"] | None = None
    style: Literal["vivid", "natural"] | None = None

    @field_validator("size")
    @classmethod
    def _is_size(cls, value: str) -> str:
        width, x, height = value.partition("x")
        if value != "auto" and not (_is_side(width) and x and _is_side(height)):
            raise fault(f"A size is WIDTHxHEIGHT in pixels, such as 512x512, or auto; not '{value[:40]}'.")
        if len(value) > len("99999x99999"):
            raise fault("No model can draw a picture that large.", code="invalid_size")
        return value

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.seed is not None and self.rng_seed is not None and self.seed != self.rng_seed:
            raise fault("'seed' and 'rng_seed' are the same thing: give one of them.", field="rng_seed")
        if self.output_format == "png" and self.output_compression != 100:
            message = "'output_compression' is for jpeg and webp; png is always lossless."
            raise fault(message, field="output_compression")
        if self.partial_images and not self.stream:
            raise fault("'partial_images' needs 'stream': true.", field="partial_images")
        if self.stream and self.response_format == "url":
            raise fault("A stream carries its pictures: 'url' is for answers in one piece.", field="response_format")
        return self

    def without_effect(self) -> Iterator[str]:
        return iter(sorted(self.of_openai & self.model_fields_set))


def _is_side(text: str) -> bool:
    return text.isascii() and text.isdecimal() and text.strip("0") != ""


class GenerationBody(ImageBody):
    """``POST /images/generations``."""


class OverBody(ImageBody):
    """A request with a picture to start from: `image` in a form, `images` in JSON."""

    image: Picture | None = None
    images: list[Picture] | None = None

    @model_validator(mode="after")
    def _one_picture(self) -> Self:
        count = (self.image is not None) + len(self.images or [])
        if count != 1:
            message = f"Exactly one picture is needed, in 'image' or 'images'; there are {count}."
            raise fault(message, field="image")
        return self

    def picture(self) -> tuple[bytes, str]:
        """The picture and the field that it came in."""
        if self.images:
            return file_of(self.images[0]), "images[0].image_url"
        return file_of(self.image or b""), "image"


class EditBody(OverBody):
    """``POST /images/edits``."""

    mask: Picture | None = None


class VariationBody(OverBody):
    """``POST /images/variations``."""

    prompt: Prompt = ""


TEXT_FIELDS = (
    {"model", "prompt", "prompt_2", "prompt_3", "negative_prompt", "size", "response_format", "output_format"}
    | ImageBody.ignored
    | ImageBody.of_openai
)


def from_form(name: str, value: str) -> Any:
    """A form's text as the value that it stands for: ``4`` is a number where a number is meant."""
    if name in TEXT_FIELDS:
        return value
    try:
        return json.loads(value.lower() if value in ("True", "False") else value)
    except (ValueError, RecursionError):
        return value
