"""What clients are told has no paths of the machine in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ovms_core.redaction import without_paths


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot read /srv/models/a/model.xml: truncated", "cannot read …/model.xml: truncated"),
        ("Nothing is at '/srv/models/a'.", "Nothing is at '…/a'."),
        ("FileNotFoundError: /opt/x/y.gguf", "FileNotFoundError: …/y.gguf"),
        ("at /home/jenkins/ov/src/core.cpp:97", "at …/core.cpp:97"),
        (r"bad C:\Users\me\model.bin", "bad …/model.bin"),
        ("Nothing is at '/srv/my models/a b'.", "Nothing is at '…/a b'."),
        ("No \"/x y/z\" nor '~/p q/r', but 1/2", "No \"…/z\" nor '…/r', but 1/2"),
        ("it's in /srv/a/b, isn't it", "it's in …/b, isn't it"),
        ("a model of hf:org/name, see https://example.org/docs/install", None),
        ("raise options.cache_size and/or lower max_tokens", None),
        ("./models/mine is an empty folder", None),
        ("1/2 of the layers", None),
    ],
)
def test_an_absolute_path_is_cut_down_to_its_last_part_and_nothing_else_changes(text: str, shown: str | None) -> None:
    assert without_paths(text) == (shown or text)


def test_the_home_directory_is_not_named() -> None:
    assert str(Path.home()) not in without_paths(f"nothing in {Path.home()} nor in {Path.home() / 'models' / 'a.xml'}")
