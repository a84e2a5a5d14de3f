"""What an uploaded picture says of itself in its first bytes, read without decoding anything.

PNG: https://www.w3.org/TR/png-3/ · JPEG: ITU-T T.81 · WebP: RFC 9649.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Final

from ovms_core.plugin import give_way

MAX_JPEG_SCANS: Final = 100
"""A progressive JPEG has about ten; a file of thousands keeps a decoder busy for minutes."""

MAX_PARTS: Final = 1000
"""Segments of a JPEG, or chunks of a PNG, before the part that is looked for; an ICC profile has up to 255."""

MAX_FILL: Final = 1000
"""Fill bytes before a JPEG's marker; encoders that align their segments write a few."""

_FILL: Final = re.compile(rb"\xff{,%d}" % MAX_FILL)
_SCAN: Final = b"\xff\xda"
_PIECE: Final = 1 << 20


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
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            return False
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind in (b"IDAT", b"acTL"):
            return bool(kind == b"acTL")
        at += 12 + length
    raise NotAPictureError(f"is a PNG with over {MAX_PARTS} chunks before its pixels")


def _jpeg(data: bytes) -> Header:
    at = 2
    for _ in range(MAX_PARTS):
        at = _marker(data, at)
        marker = data[at]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 4)
            _require_few_scans(data)
            return Header("JPEG", width, height)
        at += 1 + struct.unpack_from(">H", data, at + 1)[0]
    raise NotAPictureError(f"is a JPEG with over {MAX_PARTS} segments before its frame header")


def _marker(data: bytes, at: int) -> int:
    """Where the marker is that begins at `at`: a byte other than 0xFF after one such byte, or several."""
    if data[at] != 0xFF:
        raise NotAPictureError("is a JPEG without a frame header")
    fill = _FILL.match(data, at + 1)
    assert fill is not None
    if data[fill.end()] == 0xFF:
        raise NotAPictureError(f"is a JPEG with over {MAX_FILL} fill bytes before a marker")
    return fill.end()


def _require_few_scans(data: bytes) -> None:
    """Raise `NotAPictureError` for too many; counted in pieces, since Python runs nothing else during one."""
    count = 0
    for at in range(0, len(data), _PIECE):
        give_way()
        count += data.count(_SCAN, at, at + _PIECE + 1)  # one may begin with the last byte of a piece
        if count > MAX_JPEG_SCANS:
            raise NotAPictureError(f"is a JPEG of more than {MAX_JPEG_SCANS} scans")


def _webp(data: bytes) -> Header:
    kind, body = data[12:16], data[20:64]
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
