"""Pixels: opening untrusted pictures, and writing files with what is needed to make them again."""

from __future__ import annotations

import warnings
import zlib
from io import BytesIO
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from ovms_core.engine import RequestError
from ovms_imagegen.messages import OutputFormat, Size, Upload

Pixels = npt.NDArray[np.uint8]
"""Shape ``(1, height, width, 3)``, RGB."""

_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_PNG_STRATEGY: Final = zlib.Z_RLE
"""Of zlib's: takes a quarter of the time of its usual one, for about as many bytes."""

_WHITE: Final = (255, 255, 255, 255)


def open_upload(upload: Upload, max_pixels: int) -> Image.Image:
    """The picture, decoded and turned upright. Raises `RequestError` for one that cannot be decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd files; its own bomb warning is our pixel cap
            return _open(upload, max_pixels)
    except RequestError:
        raise
    except Exception as error:  # a decoder fed with hostile bytes raises whatever it likes
        message = f"'{upload.field}' is damaged and cannot be decoded: {error}."
        raise RequestError(message, param=upload.field, code="invalid_image") from None


def _open(upload: Upload, max_pixels: int) -> Image.Image:
    image = Image.open(BytesIO(upload.data), formats=_FORMATS)
    if getattr(image, "n_frames", 1) > 1:
        message = f"'{upload.field}' has several frames; send a single one."
        raise RequestError(message, param=upload.field, code="invalid_image")
    if image.width * image.height > max_pixels:
        message = f"'{upload.field}' has more than {max_pixels} pixels."
        raise RequestError(message, param=upload.field, code="image_too_large")
    image.load()
    return ImageOps.exif_transpose(image)


def open_pair(
    image: Upload | None, mask: Upload | None, max_pixels: int
) -> tuple[Image.Image | None, Image.Image | None]:
    """Picture and mask, as RGB and as 8-bit grey. Raises `RequestError` as `open_upload`, or when sizes differ."""
    if image is None:
        return None, None
    opened = open_upload(image, max_pixels)
    if mask is None:
        return to_rgb(opened), None
    masking = open_upload(mask, max_pixels)
    if masking.size != opened.size:
        sizes = " and ".join(f"{picture.width}x{picture.height}" for picture in (masking, opened))
        message = f"'{mask.field}' and '{image.field}' must have the same size, not {sizes}."
        raise RequestError(message, param=mask.field, code="invalid_image")
    return to_rgb(opened), to_mask(masking)


def to_rgb(image: Image.Image) -> Image.Image:
    """As RGB; what is transparent becomes white."""
    if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow would clip instead of scale
        image = image.point(lambda value: value / 257).convert("L")
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image).convert("RGB")


def to_mask(image: Image.Image) -> Image.Image:
    """White where the picture is to be drawn anew.

    That is where a mask with an alpha channel is transparent (OpenAI's convention), and where one without is
    white (Stable Diffusion's).
    """
    if image.has_transparency_data:
        return ImageOps.invert(image.convert("RGBA").getchannel("A"))
    return to_rgb(image).convert("L")


def fit(image: Image.Image, size: Size) -> Image.Image:
    """Scaled to `size`; of another shape, what stands over is cut off evenly."""
    return image if image.size == size else ImageOps.fit(image, size, Image.Resampling.LANCZOS)


def to_pixels(image: Image.Image) -> Pixels:
    """As GenAI takes it."""
    return np.asarray(image.convert("RGB"), dtype=np.uint8)[None].copy()


def from_pixels(pixels: Pixels) -> Image.Image:
    """As GenAI gives it."""
    return Image.fromarray(pixels[0])


def encode(image: Image.Image, output_format: OutputFormat, quality: int, description: str | None = None) -> bytes:
    """The file: PNG with `description` as the text ``parameters``, JPEG and WebP with it as an EXIF comment."""
    file = BytesIO()
    if output_format == "png":
        image.save(file, "PNG", pnginfo=_png_text(description), compress_level=1, compress_type=_PNG_STRATEGY)
    else:
        image.save(file, output_format.upper(), quality=quality, exif=_exif(description))
    return file.getvalue()


def _png_text(description: str | None) -> PngInfo:
    info = PngInfo()
    if description:
        info.add_text("parameters", description)
    return info


def _exif(description: str | None) -> Image.Exif:
    exif = Image.Exif()
    if description:
        comment = b"UNICODE\0" + description.encode("utf-16-be")
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    return exif
