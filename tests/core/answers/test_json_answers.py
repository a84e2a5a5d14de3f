"""What cannot be written as JSON is named by its path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from ovms_core.answers.json_answers import UnwritableError, to_bytes


class Choice(msgspec.Struct):
    extra: Any


@dataclass
class Plain:
    extra: Any


class Model(BaseModel):
    a: int = 1


def nested(depth: int) -> list[Any]:
    deep: list[Any] = []
    for _ in range(depth):
        deep = [deep]
    return deep


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (
            {"choices": [{"message": {"extra": 1j}}]},
            "choices[0].message.extra: a value of type complex cannot be written as JSON",
        ),
        (
            {"a": 1, "choices": [Choice(1), Choice(Plain({"x": range(2)}))]},
            "choices[1].extra.extra.x: a value of type range cannot",
        ),
        (object(), "the whole: a value of type object cannot"),
        ({"a": {"b": Model()}}, "a.b: a value of type Model cannot be written as JSON: use its model_dump()"),
        ({"a": [{(1, 2): 3}]}, "a[0]: a key of an object is text, not (1, 2)"),
        (["\ud800"], "[0]: this text cannot be written as JSON: 'utf-8' codec can't encode character"),
        ({"a": nested(100_000)}, "a[0][0]: it contains itself, or is nested too deeply for JSON"),
    ],
)
def test_the_path_of_what_cannot_be_written_is_named(document: object, told: str) -> None:
    with pytest.raises(UnwritableError) as raised:
        to_bytes(document)
    assert str(raised.value).startswith(told)


def test_what_can_be_written_is() -> None:
    assert to_bytes({"a": [1, None, {2}], "b": Choice("x")}) == b'{"a":[1,null,[2]],"b":{"extra":"x"}}'
