"""A picture as coloured characters, for any terminal with 24-bit colours."""

from __future__ import annotations

from io import BytesIO

from PIL import Image


def half_blocks(data: bytes, width: int) -> str:
    """The picture in `data`, `width` characters wide: each character is two pixels, one above the other."""
    with Image.open(BytesIO(data)) as image:
        height = max(2, round(width * image.height / image.width) // 2 * 2)
        pixels = image.convert("RGB").resize((width, height)).load()
    assert pixels is not None
    return "\n".join(
        "".join(_cell(pixels[x, y], pixels[x, y + 1]) for x in range(width)) + "\x1b[0m" for y in range(0, height, 2)
    )


def _cell(upper: object, lower: object) -> str:
    (r, g, b), (s, h, c) = (value if isinstance(value, tuple) else (0, 0, 0) for value in (upper, lower))
    return f"\x1b[38;2;{r};{g};{b};48;2;{s};{h};{c}m▀"
