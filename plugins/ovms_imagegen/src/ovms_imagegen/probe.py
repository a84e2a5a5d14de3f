"""What an uploaded picture says of itself in its first bytes, read without decoding anything.

PNG: https://www.w3.org/TR/png-3/ · JPEG: ITU-T T.81 · WebP: RFC 9649.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

MAX_JPEG_SCANS: Final = 100
"""A progressive JPEG has about ten; a file of thousands keeps a decoder busy for minutes."""


class NotAPictureError(ValueError):
    """The bytes are not a picture that can be used; the message says what they look like."""


@dataclass(frozen=True, slots=True)
class Header:
    """A picture's kind (``PNG``, ``JPEG`` or ``WEBP``), its size in pixels, and whether it has several frames."""

    kind: str
    width: int
    height: int
    animated: bool = False


def probe(data: bytes) -> Header:
    """Read the header of a PNG, JPEG or WebP file. Raises `NotAPictureError`."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png(data)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
    except (struct.error, IndexError):
        raise NotAPictureError("is cut off within its header") from None
    raise NotAPictureError(f"is not a PNG, JPEG or WebP picture (it looks like {_looks_like(data)})")


def _png(data: bytes) -> Header:
    if data[12:16] != b"IHDR":
        raise NotAPictureError("is a PNG without a header")
    width, height = struct.unpack_from(">II", data, 16)
    return Header("PNG", width, height, animated=_png_has_frames(data))


def _png_has_frames(data: bytes) -> bool:
    """Whether there is an `acTL` chunk, which stands before the first `IDAT`."""
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind in (b"IDAT", b"acTL"):
            return bool(kind == b"acTL")
        at += 12 + length
    return False


def _jpeg(data: bytes) -> Header:
    if data.count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise NotAPictureError(f"is a JPEG of more than {MAX_JPEG_SCANS} scans")
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return Header("JPEG", width, height)
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    raise NotAPictureError("is a JPEG without a frame header")


def _webp(data: bytes) -> Header:
    kind, body = data[12:16], data[20:]
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(body[at : at + 3], "little") for at in (4, 7))
        return Header("WEBP", width, height, animated=bool(body[0] & 0x02))
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", body, 1)[0]
        return Header("WEBP", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", body, 6)
        return Header("WEBP", width & 0x3FFF, height & 0x3FFF)
    raise NotAPictureError("is a WebP file without a picture")


def _looks_like(data: bytes) -> str:
    start = data[:256].lstrip().lower()
    known = {
        b"gif8": "GIF",
        b"%pdf": "PDF",
        b"bm": "BMP",
        b"ii*\0": "TIFF",
        b"mm\0*": "TIFF",
        b"pk\3\4": "a ZIP archive",
    }
    for magic, name in known.items():
        if start.startswith(magic):
            return name
    if b"<svg" in start or start.startswith(b"<?xml"):
        return "SVG or XML"
    if not data:
        return "an empty file"
    return "text" if start.isascii() and b"\0" not in start else "unknown bytes"
