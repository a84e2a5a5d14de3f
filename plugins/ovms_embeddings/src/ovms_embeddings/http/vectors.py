"""Vectors as JSON, without numpy: little-endian float32 in, JSON text out."""

from __future__ import annotations

import sys
from array import array
from binascii import b2a_base64

import msgspec

_encode = msgspec.json.Encoder().encode


def as_base64(vector: bytes) -> msgspec.Raw:
    """The bytes in base64, as a JSON string."""
    return msgspec.Raw(b'"%b"' % b2a_base64(vector, newline=False))


def as_floats(vector: bytes) -> msgspec.Raw:
    """A JSON array of numbers that give the same float32 values when read."""
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return msgspec.Raw(_encode(floats.tolist()))
