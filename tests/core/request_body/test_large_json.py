"""Large JSON, read in pieces, is what it would be if it were read at once."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from pydantic_core import from_json

from ovms_core.errors import APIError
from ovms_core.request_body import large_json
from ovms_core.request_body.large_json import MOST, parse_large

TEXTS = ["", 'a,b]}{[\\"', "é\n\u2028😀", "x" * 150, "\\\\", "😀" * 30, "\t"]


def value(chance: random.Random, depth: int = 0) -> Any:
    """Any JSON, up to ten levels deep."""
    if depth > 9 or chance.random() < 0.35:
        return chance.choice([1, -2.5e10, True, None, 10**30, *TEXTS])
    if chance.random() < 0.5:
        return [value(chance, depth + 1) for _ in range(chance.randrange(6))]
    return {chance.choice('abcdef,"]é'): value(chance, depth + 1) for _ in range(chance.randrange(5))}


def garbled(chance: random.Random, raw: bytes) -> bytes:
    """`raw`, with a byte left out, changed, put in, or nothing after it."""
    at, other = chance.randrange(len(raw)), bytes([chance.choice(b'[]{},:"\\ \n\xff1a')])
    return chance.choice(
        [raw[:at] + raw[at + 1 :], raw[:at] + other + raw[at + 1 :], raw[:at] + other + raw[at:], raw[:at]]
    )


def read(parse: Any, raw: bytes) -> Any:
    try:
        return parse(raw)
    except ValueError:
        return "not JSON"


@pytest.mark.parametrize("piece", [16, 20, 64, 500])
def test_it_is_understood_or_refused_exactly_as_in_one_piece(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_json, "PIECE", piece)
    chance = random.Random(piece)
    refused = 0
    for _ in range(250):
        raw = json.dumps(value(chance), ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, 1])).encode()
        for each in (raw, garbled(chance, raw)):
            expected = read(lambda raw: from_json(raw, allow_inf_nan=False), each)
            refused += expected == "not JSON"
            assert read(parse_large, each) == expected, each
    assert 60 < refused < 250


@pytest.mark.parametrize(
    ("end", "complaint"),
    [
        (b"x]}", r"expected value at line 2 column 200001"),
        (b"1 2]}", r"expected `,` or `]` at line 2 column 200003"),
        (b"1]", r"EOF while parsing an object at line 2 column 200002|expected `,` or `}` at line 2 column 200003"),
        (b'"abc', r"EOF while parsing a string at line 2 column 20000\d"),
        (b"1]} 1", r"trailing characters at line 2 column 200005"),
        (b"NaN]}", r"expected value at line 2 column 200001"),
        (b"[" * 300, r"recursion limit exceeded|EOF while parsing"),
    ],
)
def test_an_error_names_its_place_in_the_whole(end: bytes, complaint: str) -> None:
    raw = b'{"input": [\n' + b"1," * 100_000 + end
    with pytest.raises(ValueError, match=complaint):
        parse_large(raw)


def test_very_many_arrays_and_objects_are_refused_and_brackets_in_texts_are_none() -> None:
    assert len(parse_large(json.dumps(["[[[{{{}}}]]]"] * 10_000).encode())) == 10_000
    assert len(parse_large(json.dumps([[]] * (MOST - 1)).encode())) == MOST - 1
    too_many: list[Any]
    for too_many in ([[]] * (MOST + 1), [{"a": [[[[[[[[1]]]]]]]]}] * (MOST // 8)):
        with pytest.raises(APIError, match="more than 50000 arrays and objects") as caught:
            parse_large(json.dumps(too_many).encode())
        assert (caught.value.status, caught.value.code) == (413, "body_too_complex")
