"""A model's small files, as tools and people write them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ovms_core.errors import LoadError
from ovms_core.model_files.documents import read_document, read_text

JSON = '{"a": {"b": 1},\n "c": "é"}\n'


class Inner(msgspec.Struct):
    b: int = 0


class Outer(msgspec.Struct):
    a: Inner = msgspec.field(default_factory=Inner)


@pytest.mark.parametrize(
    "data",
    [
        JSON.encode(),
        JSON.encode("utf-8-sig"),
        JSON.encode("utf-16"),
        JSON.encode("utf-32"),
        JSON.replace("\n", "\r\n").encode(),
        JSON.replace("\n", "\r").encode(),
        b'{"a": {"b": 2}, "c": "\\u00e9", "a": {"b": 1}}',
    ],
)
def test_json_is_read_however_it_was_written(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(data)
    assert read_document(tmp_path, "config.json", dict[str, Any]) == {"a": {"b": 1}, "c": "é"}
    assert read_document(tmp_path, "config.json", Outer) == Outer(Inner(1))


def test_numbers_that_are_none_are_read_as_transformers_writes_them(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"a": NaN, "b": -Infinity}')
    read = read_document(tmp_path, "config.json", dict[str, float])
    assert math.isnan(read["a"])
    assert read["b"] == -math.inf


def test_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_document(tmp_path, "config.json", Outer) == Outer()
    assert read_document(tmp_path, "modules.json", list[Inner]) == []
    assert read_document(tmp_path / "none", "1_Pooling/config.json", dict[str, Any]) == {}
    assert read_text(tmp_path, "chat_template.jinja") is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b'{"a": ', "it is not JSON"),
        (b'{"a": 1} {}', "Extra data"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        (b"\xff\xfe{", "is not UTF-16"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "it is not JSON"),
        (b" " * (64 << 20) + b"{}", "more than 64 MiB"),
        (b'{"c": "\\ud800"}', "half a surrogate pair"),
        (b"[1]", "malformed: Expected `object`, got `array`"),
        (b"null", "malformed: Expected `object`, got `null`"),
        (b'{"a": {"b": "x"}}', "Expected `int`, got `str` - at `$.a.b`"),
    ],
)
def test_what_cannot_be_read_names_the_file_and_the_key(data: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(data)
    with pytest.raises(LoadError, match=r"'config\.json' of the model") as refused:
        read_document(tmp_path, "config.json", Outer)
    assert reason in str(refused.value)
    assert "fetch the model anew" in str(refused.value)


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(LoadError, match=r"'config\.json' of the model cannot be read: it is not a file"):
        read_document(tmp_path, "config.json", Outer)


def test_text_has_one_kind_of_line_end_and_no_mark(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_bytes("\ufeff{{ a }}\r\nb\rc".encode())
    assert read_text(tmp_path, "chat_template.jinja") == "{{ a }}\nb\nc"
