"""Images."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from typing import Any, Final

from ovms_conformance.feature import Group, Target, expect, expect_fully

images = Group("Images", needs="image_model")

_GENERATIONS: Final = "/images/generations"
_PROMPT: Final = "a red circle on a blue background"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_MAGIC: Final = {"jpeg": b"\xff\xd8\xff", "webp": b"RIFF"}
_BOUNDARY: Final = "conformance-7f3a9c51"


def _body(target: Target, **fields: Any) -> dict[str, Any]:
    return {"model": target.image_model, "prompt": _PROMPT, **fields}


def _draw(target: Target, **fields: Any) -> list[bytes]:
    document = target.server.post(_GENERATIONS, _body(target, response_format="b64_json", **fields))
    return [base64.b64decode(item["b64_json"], validate=True) for item in document["data"]]


def _size(png: bytes) -> tuple[int, int]:
    """Width and height (https://www.w3.org/TR/png-3/#11IHDR)."""
    expect(png.startswith(_PNG), "it is no PNG")
    width, height = struct.unpack(">II", png[16:24])
    return int(width), int(height)


@images.feature
def generate(target: Target) -> None:
    """`POST /images/generations` with `b64_json` gives a picture."""
    expect(min(_size(_draw(target)[0])) > 0, "it has no pixels")


@images.feature
def several_pictures(target: Target) -> None:
    """`n` gives several pictures, which differ."""
    pictures = _draw(target, n=2)
    expect(len(pictures) == 2, f"{len(pictures)} pictures instead of 2")
    expect_fully(pictures[0] != pictures[1], "they are the same")


@images.feature
def size(target: Target) -> None:
    """`size` sets width and height."""
    measured = _size(_draw(target, size="256x256")[0])
    expect(measured == (256, 256), f"{measured[0]}x{measured[1]} instead of 256x256")


@images.feature
def impossible_size(target: Target) -> None:
    """A size that the model cannot draw is a 400, or the answer says which one was drawn."""
    answer = target.server.send_json(_GENERATIONS, _body(target, size="99999x7"))
    if answer.status == 200:
        document = answer.json()
        width, height = _size(base64.b64decode(document["data"][0]["b64_json"]))
        told = document.get("size")
        expect(told == f"{width}x{height}", f"{width}x{height} is drawn, and the answer says {told}")
    else:
        expect(answer.status == 400, f"{answer.status} instead of 400")


@images.feature
def picture_seed(target: Target) -> None:
    """The same `seed` gives the same picture, another seed another."""
    first, second, other = (_draw(target, seed=number)[0] for number in (5, 5, 6))
    expect(first == second, "two pictures with the same seed differ")
    expect_fully(first != other, "another seed gives the same picture")


@images.feature
def output_format(target: Target) -> None:
    """`output_format` gives JPEG and WebP."""
    for kind, magic in _MAGIC.items():
        expect_fully(_draw(target, output_format=kind)[0].startswith(magic), f"{kind}: another format comes")


@images.feature
def picture_stream(target: Target) -> None:
    """`stream` with `partial_images` sends previews and then the picture, as OpenAI's events."""
    stream = target.server.stream(_GENERATIONS, _body(target, partial_images=2))
    kinds = [document.get("type") for document in stream.documents()]
    expect(kinds and kinds[-1] == "image_generation.completed", f"the last event is {kinds[-1:]}")
    expect_fully("image_generation.partial_image" in kinds, "there are no previews")


@images.feature
def edit(target: Target) -> None:
    """`POST /images/edits`, a form with a picture and a prompt, changes the picture."""
    document = _send_form(target, "/images/edits", {"prompt": _PROMPT, "model": target.image_model})
    _size(base64.b64decode(document["data"][0]["b64_json"]))


@images.feature
def variation(target: Target) -> None:
    """`POST /images/variations`, a form with a picture, gives another like it."""
    document = _send_form(target, "/images/variations", {"model": target.image_model, "response_format": "b64_json"})
    _size(base64.b64decode(document["data"][0]["b64_json"]))


def _send_form(target: Target, path: str, fields: Mapping[str, str]) -> Any:
    content = _form(fields, _draw(target)[0])
    headers = {"content-type": f"multipart/form-data; boundary={_BOUNDARY}"}
    return target.server.send("POST", path, content, headers).accepted().json()


def _form(fields: Mapping[str, str], picture: bytes) -> bytes:
    """A multipart form (RFC 7578)."""
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    parts.append(b'name="image"; filename="picture.png"\r\ncontent-type: image/png\r\n\r\n' + picture)
    start = f"--{_BOUNDARY}\r\ncontent-disposition: form-data; ".encode()
    return b"".join(start + part + b"\r\n" for part in parts) + f"--{_BOUNDARY}--\r\n".encode()
