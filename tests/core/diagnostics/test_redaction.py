"""What clients are told has no paths of the machine in it."""

from __future__ import annotations

import pytest

from ovms_core.diagnostics.redaction import without_paths


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot read /srv/models/a/model.xml: truncated", "cannot read …/model.xml: truncated"),
        ("There is nothing at '/srv/models/a'.", "There is nothing at '…/a'."),
        ("FileNotFoundError: /opt/x/y.gguf", "FileNotFoundError: …/y.gguf"),
        ("at /home/jenkins/ov/src/core.cpp:97", "at …/core.cpp:97"),
        (r"bad C:\Users\me\model.bin", "bad …/model.bin"),
        ("There is nothing at '/srv/my models/a b'.", "There is nothing at '…/a b'."),
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


@pytest.mark.parametrize(
    ("home", "text", "shown"),
    [
        ("/srv/app", "nothing in /srv/app nor in '/srv/app/models/a.xml'.", "nothing in ~ nor in '…/a.xml'."),
        ("/srv/app/", "HOME=/srv/app.", "HOME=~."),
        ("/srv", "/srv/x of /srv2, /mnt/srv/y and hf:org/srv", "~/x of /srv2, …/y and hf:org/srv"),
        ("/name", "hf:org/name and https://host/name/x", "hf:org/name and https://host/name/x"),
        ("/", "hf:org/name is not in /models/a b/c nor in '/x/y'", "hf:org/name is not in …/a b/c nor in '…/y'"),
        ("relative", "a relative path of hf:org/name", "a relative path of hf:org/name"),
        ("", "hf:org/name is not in /models/a", "hf:org/name is not in …/a"),
    ],
)
def test_the_home_folder_is_not_named_and_nothing_else_changes(
    monkeypatch: pytest.MonkeyPatch, home: str, text: str, shown: str
) -> None:
    monkeypatch.setenv("HOME", home)
    assert without_paths(text) == shown


def test_a_user_without_a_home_folder_harms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    assert without_paths("hf:org/name is not in /models/a") == "hf:org/name is not in …/a"
