"""Embeddings."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any, Final

from ovms_conformance.feature import Group, Target, expect, expect_fully

embeddings = Group("Embeddings", needs="embed_model")

_PATH: Final = "/embeddings"
_TEXTS: Final = ["A cat sits on the mat.", "Interest rates rose again.", "Ein Hund bellt laut.", "x = y + 1"]
_CLOSE: Final = 0.999  # cosine; batches of other shapes round otherwise


def _embed(target: Target, given: Any, **fields: Any) -> Any:
    body = {"model": target.embed_model, "input": given, "encoding_format": "float", **fields}
    return target.server.post(_PATH, body)


def _vector(target: Target, text: Any, **fields: Any) -> list[float]:
    vector: list[float] = _embed(target, text, **fields)["data"][0]["embedding"]
    return vector


@embeddings.feature
def one_text(target: Target) -> None:
    """`input` as text gives one vector, with `index` and `object`."""
    document = _embed(target, _TEXTS[0])
    item = document["data"][0]
    expect(document["object"] == "list" and len(document["data"]) == 1, "there is not a list of one")
    expect(item["object"] == "embedding" and item["index"] == 0, "object or index is wrong")
    expect(all(map(math.isfinite, item["embedding"])), "the vector is not finite")


@embeddings.feature
def several_texts_in_order(target: Target) -> None:
    """`input` as a list gives the vectors in the order of the texts, the same as alone."""
    data = _embed(target, _TEXTS)["data"]
    expect([item["index"] for item in data] == [0, 1, 2, 3], "the indexes are not in order")
    for text, item in zip(_TEXTS, data, strict=True):
        expect(_cosine(item["embedding"], _vector(target, text)) > _CLOSE, f"another vector than alone: {text!r}")


@embeddings.feature
def embedding_usage(target: Target) -> None:
    """`usage` counts the tokens."""
    usage = _embed(target, _TEXTS)["usage"]
    expect(usage["prompt_tokens"] > len(_TEXTS), f"prompt_tokens is {usage['prompt_tokens']}")
    expect_fully(usage["total_tokens"] == usage["prompt_tokens"], "total_tokens is another number")


@embeddings.feature
def base64_vectors(target: Target) -> None:
    """`encoding_format: base64`, which the official clients ask for, gives little-endian float32."""
    encoded = _embed(target, _TEXTS[0], encoding_format="base64")["data"][0]["embedding"]
    expect(isinstance(encoded, str), "the vector is not text")
    content = base64.b64decode(encoded, validate=True)
    vector = struct.unpack(f"<{len(content) // 4}f", content)
    expect(_cosine(vector, _vector(target, _TEXTS[0])) > _CLOSE, "it is another vector than as float")


@embeddings.feature
def token_input(target: Target) -> None:
    """`input` as token ids, and as lists of them."""
    expect(len(_embed(target, [100, 101, 102])["data"]) == 1, "one list does not give one vector")
    expect_fully(len(_embed(target, [[100, 101], [102]])["data"]) == 2, "two lists do not give two vectors")


@embeddings.feature
def fewer_dimensions(target: Target) -> None:
    """`dimensions` cuts the vector and makes its length 1 again."""
    vector = _vector(target, _TEXTS[0], dimensions=64)
    expect(len(vector) == 64, f"{len(vector)} dimensions instead of 64")
    expect_fully(abs(math.hypot(*vector) - 1) < 1e-3, "its length is not 1")


@embeddings.feature
def too_many_dimensions(target: Target) -> None:
    """`dimensions` beyond the model's is a 400."""
    body = {"model": target.embed_model, "input": "x", "dimensions": 1_000_000}
    status = target.server.send_json(_PATH, body).status
    expect(status == 400, f"{status} instead of 400")


@embeddings.feature
def empty_input_is_refused(target: Target) -> None:
    """Empty `input` is a 400."""
    status = target.server.send_json(_PATH, {"model": target.embed_model, "input": []}).status
    expect(status >= 400, f"{status} instead of 400")
    expect_fully(status == 400, f"{status} instead of 400")


@embeddings.feature
def too_long_input_is_refused(target: Target) -> None:
    """A text that is longer than the model reads is a 400, not silently cut."""
    status = target.server.send_json(_PATH, {"model": target.embed_model, "input": "word " * 40_000}).status
    expect(status in {400, 413}, f"{status} instead of 400")


def _cosine(a: Any, b: Any) -> float:
    return float(sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b)))
