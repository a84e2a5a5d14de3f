"""Sizes of pictures: as clients write them, and which of two is nearer to a third."""

from __future__ import annotations

from math import log

from ovms_imagegen.messages import Size

_SHAPE_COUNTS = 4
"""A tenth more width for the height weighs as much as four tenths more pixels: a picture is scaled easily."""


def size_text(size: Size) -> str:
    """``(128, 64)`` as ``128x64``."""
    return f"{size[0]}x{size[1]}"


def parse_size(text: str) -> Size:
    """``128x64`` as ``(128, 64)``."""
    width, _, height = text.partition("x")
    return int(width), int(height)


def distance(size: Size, width: float, height: float) -> float:
    """How far `size` is from `width` and `height`, in shape and in pixels; 0 when it is the same."""
    wider, taller = log(size[0] / width), log(size[1] / height)
    return _SHAPE_COUNTS * abs(wider - taller) + abs(wider + taller)
