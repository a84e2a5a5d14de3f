"""What clients get: OpenAI's shapes, with the seed and the steps besides.

https://platform.openai.com/docs/api-reference/images and .../images-streaming
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

from ovms_imagegen.http.base64_text import to_base64
from ovms_imagegen.messages import Drawn, OutputFormat, Preview, Stepped
from ovms_imagegen.sizes import size_text


class Picture(TypedDict):
    """A picture: the file in base64, or where it is."""

    seed: int
    b64_json: NotRequired[str]
    url: NotRequired[str]


class ImagesAnswer(TypedDict):
    """The answer of the images endpoints."""

    created: int
    data: list[Picture]
    background: str
    output_format: OutputFormat
    size: str | None
    usage: dict[str, Any]


def usage(pictures: Sequence[Drawn]) -> dict[str, Any]:
    """Tokens of text in; a diffusion model has none for pictures."""
    text = pictures[0].prompt_tokens if pictures else 0
    return {
        "input_tokens": text,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": text},
        "output_tokens": 0,
        "total_tokens": text,
    }


def document(created: int, output_format: OutputFormat, files_url: str, drawn: Sequence[Drawn]) -> dict[str, Any]:
    """The whole answer of a request that does not stream."""
    return {
        "created": created,
        "data": [{**_content(picture, files_url), "seed": picture.seed} for picture in drawn],
        "background": "opaque",
        "output_format": output_format,
        "size": size_text(drawn[0].size) if drawn else None,
        "usage": usage(drawn),
    }


def partial_image(prefix: str, created: int, output_format: OutputFormat, preview: Preview) -> dict[str, Any]:
    """The event ``….partial_image``."""
    return {
        "type": f"{prefix}.partial_image",
        "b64_json": to_base64(preview.data),
        "partial_image_index": preview.number,
        **_common(created, output_format, preview),
        "step": preview.step,
        "total": preview.total,
    }


def completed(prefix: str, created: int, output_format: OutputFormat, files_url: str, picture: Drawn) -> dict[str, Any]:
    """The event ``….completed``."""
    return {
        "type": f"{prefix}.completed",
        **_content(picture, files_url),
        **_common(created, output_format, picture),
        "usage": usage([picture]),
        "seed": picture.seed,
        "step": picture.steps,
        "total": picture.steps,
    }


def progress(stepped: Stepped) -> str:
    """The comment that tells how far a picture is."""
    return f"progress image={stepped.index} step={stepped.step} total={stepped.total}"


def _common(created: int, output_format: OutputFormat, picture: Preview | Drawn) -> dict[str, Any]:
    return {
        "background": "opaque",
        "created_at": created,
        "output_format": output_format,
        "quality": "auto",
        "size": size_text(picture.size),
        "index": picture.index,
    }


def _content(picture: Drawn, files_url: str) -> dict[str, Any]:
    if picture.kept_as:
        return {"url": f"{files_url}/{picture.kept_as}"}
    return {"b64_json": to_base64(picture.data or b"")}
