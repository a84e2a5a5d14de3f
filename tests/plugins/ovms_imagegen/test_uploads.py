"""Pictures that clients send: what is read of them before decoding, and what hostile ones do."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image
from tests.cost import cost
from tests.plugins.ovms_imagegen.conftest import MAX_PIXELS, as_file, opened

from ovms_core.engine import RequestError
from ovms_imagegen import pictures
from ovms_imagegen.messages import Upload
from ovms_imagegen.probe import Header, NotAPictureError, probe

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8))


def open_rgb(data: bytes) -> Image.Image:
    image, _ = pictures.open_pair(Upload(data, "image"), None, MAX_PIXELS)
    assert image is not None
    return image


# -- headers


def png(*chunks: tuple[bytes, bytes], width: int = 128, height: int = 128) -> bytes:
    """A PNG of these chunks after its header; 8-bit RGB."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    framed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0"}),
    ],
)
def test_the_header_tells_kind_and_size(kind: str, options: dict[str, object]) -> None:
    assert probe(as_file(NOISE, kind, **options)) == Header(kind, 128, 96)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_the_header_tells_of_several_frames(kind: str) -> None:
    other = Image.new("RGB", NOISE.size)
    assert probe(as_file(NOISE, kind, save_all=True, append_images=[other], duration=50)).animated


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "an empty file"),
        (b"hello", "text"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (as_file(NOISE, "GIF"), "GIF"),
        (as_file(NOISE, "BMP"), "BMP"),
        (b"\x00\x01\x02\x03" * 8, "unknown bytes"),
        (as_file(NOISE)[:20], "cut off"),
        (b"\xff\xd8\xff\xe0", "cut off"),
        (b"\xff\xd8\xff\xe0\x00\x02\x00\x00", "without a frame header"),
        (b"RIFF\0\0\0\0WEBPVP8L", "cut off"),
        (as_file(NOISE, "JPEG") + b"\xff\xda" * 200, "more than 100 scans"),
        (b"\xff\xd8" + b"\xff" * 2000, "over 1000 fill bytes"),
        (b"\xff\xd8" + b"\xff\xe0\x00\x02" * 2000, "over 1000 segments"),
        (png(*[(b"tEXt", b"a")] * 2000), "over 1000 chunks"),
    ],
)
def test_what_is_no_picture_is_told_apart(data: bytes, message: str) -> None:
    with pytest.raises(NotAPictureError, match=message):
        probe(data)


LARGEST = 20 << 20
TEDIOUS = {
    "fill bytes": b"\xff\xd8" + b"\xff" * LARGEST,
    "segments": b"\xff\xd8" + b"\xff\xe0\x00\x02" * (LARGEST // 4),
    "chunks": png()[:33] + (struct.pack(">I4s", 0, b"tEXt") + bytes(4)) * (LARGEST // 12),
}
"""Pictures of which the header is hard to find, as large as an upload may be."""


@pytest.mark.parametrize("data", TEDIOUS.values(), ids=TEDIOUS)
def test_a_header_is_found_or_given_up_at_once(data: bytes) -> None:
    def given_up() -> None:
        with pytest.raises(NotAPictureError, match="over 1000"):
            probe(data)

    assert cost(given_up) < 0.2


def test_fill_bytes_and_many_segments_are_read_over() -> None:
    whole = as_file(NOISE, "JPEG")
    comments = b"\xff\xfe\x00\x02" * 900
    assert probe(whole[:2] + b"\xff" * 900 + comments + whole[2:]) == Header("JPEG", 128, 96)


# -- decoding


@pytest.mark.parametrize(("orientation", "red_at"), [(1, (0, 0)), (3, (127, 95)), (6, (95, 0)), (8, (0, 127))])
def test_a_photograph_is_turned_upright(orientation: int, red_at: tuple[int, int]) -> None:
    image = Image.new("RGB", (128, 96), "white")
    image.paste("red", (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = open_rgb(as_file(image, "PNG", exif=exif))
    assert upright.getpixel(red_at) == (255, 0, 0)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "CMYK", "I;16"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = NOISE.convert("L").convert("I;16") if mode == "I;16" else NOISE.convert(mode)
    assert open_rgb(as_file(image, "JPEG" if mode == "CMYK" else "PNG")).mode == "RGB"


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    grey = Image.fromarray(np.full((64, 64), 0x8000, dtype=np.uint16))
    assert open_rgb(as_file(grey)).getpixel((0, 0)) == (127, 127, 127)


def test_what_is_transparent_becomes_white() -> None:
    assert open_rgb(as_file(Image.new("RGBA", (64, 64), (255, 0, 0, 0)))).getpixel((9, 9)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_truncated_picture_is_refused(kind: str) -> None:
    data = as_file(NOISE, kind)
    with pytest.raises(RequestError, match="'image' is damaged"):
        open_rgb(data[: len(data) // 2])


def test_a_photograph_with_a_second_picture_in_it_is_refused_as_one_of_several_frames() -> None:
    with pytest.raises(RequestError, match="several frames") as caught:
        open_rgb(as_file(NOISE, "MPO", save_all=True, append_images=[NOISE]))
    assert caught.value.code == "invalid_image"


# -- hostile uploads


def bomb(size: int) -> bytes:
    """`size` zeros, compressed a thousandfold."""
    squeeze = zlib.compressobj(9)
    block = bytes(1 << 20)
    return b"".join(squeeze.compress(block) for _ in range(size >> 20)) + squeeze.flush()


def bombs() -> Iterator[bytes]:
    zeros = bomb(256 << 20)
    pixels = (b"IDAT", zlib.compress(bytes(128 * (1 + 3 * 128))))
    yield png((b"zTXt", b"Comment\0\0" + zeros), pixels)
    yield png((b"iTXt", b"Comment\0\1\0\0\0" + zeros), pixels)
    yield png((b"iCCP", b"profile\0\0" + zeros), pixels)
    yield png(*[(b"zTXt", b"Comment\0\0" + bomb(1 << 20)) for _ in range(100)], pixels)
    yield png((b"IDAT", zeros))
    yield png((b"IDAT", zeros), width=50_000, height=50_000)
    yield png((b"IDAT", zeros), width=2**31 - 1, height=2**31 - 1)
    yield png((b"IDAT", zeros), width=0, height=0)
    yield png(pixels, (b"acTL", struct.pack(">II", 1 << 30, 0)))
    yield png((b"acTL", struct.pack(">II", 1 << 30, 0)), pixels)
    wide = as_file(Image.new("RGB", (1001, 1000)), "WEBP")
    yield wide
    yield as_file(Image.new("L", (16383, 16383)), "JPEG")
    yield as_file(Image.new("L", (16383, 64)), "WEBP")


def others() -> Iterator[bytes]:
    yield from (b"", b"\0", b"text", b"<svg/>", b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><svg>&b;</svg>")
    yield from (b"%PDF-1.7", b"GIF89a" + bytes(99), b"PK\3\4", b"II*\0" + bytes(99), b"\x89PNG\r\n\x1a\n", b"RIFF")
    yield as_file(NOISE, "GIF", save_all=True, append_images=[NOISE])
    yield as_file(NOISE, "PNG", save_all=True, append_images=[Image.new("RGB", NOISE.size)])
    yield as_file(NOISE, "WEBP", save_all=True, append_images=[Image.new("RGB", NOISE.size)])
    yield as_file(NOISE, "TIFF")
    yield b"A" * (5 << 20)


def fuzzed(count: int) -> Iterator[bytes]:
    """Pictures with bytes changed, cut out, doubled or cut off."""
    chance = random.Random(0)
    whole = [as_file(NOISE, kind) for kind in ("PNG", "JPEG", "WEBP")]
    whole += [as_file(NOISE, "JPEG", progressive=True), as_file(NOISE, "WEBP", lossless=True)]
    for number in range(count):
        data = bytearray(whole[number % len(whole)])
        for _ in range(chance.randint(1, 12)):
            at = chance.randrange(min(len(data), 400)) if chance.random() < 0.6 else chance.randrange(len(data))
            data[at] = chance.randrange(256)
        if chance.random() < 0.4:
            del data[chance.randrange(12, len(data)) :][chance.randrange(99) :]
            data = data[: chance.randrange(12, len(data))]
        yield bytes(data)


def memory() -> int:
    """Bytes that the server, here this process, and its workers hold."""
    here = psutil.Process()
    return sum(process.memory_info().rss for process in (here, *here.children(recursive=True)))


@pytest.mark.real
def test_hostile_uploads_are_client_errors_and_memory_stays_bounded(http: httpx.Client) -> None:
    uploads = [*bombs(), *others(), *fuzzed(200)]
    fields = {"prompt": "a red circle", "num_inference_steps": "1", "strength": "1"}
    assert http.post("/edits", data=fields, files={"image": as_file(NOISE)}).status_code == 200
    before, most = memory(), 0
    for data in uploads:
        answer = http.post("/edits", data=fields, files={"image": data})
        assert answer.status_code in (200, 400), answer.text
        if answer.status_code == 400:
            assert answer.json()["error"]["param"] == "image", answer.text
        most = max(most, memory())
    assert most - before < 150 << 20  # a decoded picture at the cap is 4 MB; a bomb would be 256 MB
    healthy = http.post("/edits", data=fields, files={"image": as_file(NOISE)})
    assert opened_first(healthy).size == (144, 112)


@pytest.mark.parametrize("data", list(bombs()), ids=lambda data: f"{len(data)} bytes")
def test_no_bomb_is_drawn(data: bytes) -> None:
    """Each is refused, or holds no more than its header says."""
    try:
        assert probe(data).width * probe(data).height <= MAX_PIXELS
        image = open_rgb(data)
    except (NotAPictureError, RequestError, AssertionError):
        return
    assert image.size == (128, 128)


def opened_first(answer: httpx.Response) -> Image.Image:
    import base64

    return opened(base64.b64decode(answer.json()["data"][0]["b64_json"]))
