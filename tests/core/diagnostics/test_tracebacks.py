"""Tracebacks, cut to what the author of a plugin wrote."""

from __future__ import annotations

import json
import sys
import threading
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

from ovms_core.diagnostics.field_errors import json_path
from ovms_core.diagnostics.tracebacks import author_place, author_traceback, definition_place, thread_place


def caught() -> BaseException:
    """An error that passes through the import system and through the server's own code."""
    try:
        import_module("brittle_plugin")
    except ValueError as error:
        return error
    raise AssertionError("it was imported")


@pytest.fixture
def brittle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "brittle_plugin", raising=False)
    file = tmp_path / "brittle_plugin.py"
    file.write_text("def fail():\n    raise ValueError('no voice')\n\nfail()\n", encoding="utf-8")
    return file


def test_the_way_through_the_import_system_is_left_out(brittle: Path) -> None:
    told = author_traceback(caught())
    assert "/importlib/" not in told
    assert "frozen" not in told
    assert f'File "{brittle}", line 4, in <module>' in told
    assert told.endswith("ValueError: no voice")


def test_the_place_is_the_innermost_line_of_the_author(brittle: Path) -> None:
    assert author_place(caught()) == f"{brittle}:2 in fail"


def test_an_error_of_the_server_alone_has_no_place() -> None:
    with pytest.raises(TypeError) as raised:
        json_path(1)  # type: ignore[arg-type]
    error = raised.value.with_traceback(raised.tb.tb_next)
    assert author_place(error) is None
    assert author_traceback(error).startswith("TypeError: ")


def test_a_cause_is_told_and_cut_as_well(brittle: Path) -> None:
    try:
        try:
            import_module("brittle_plugin")
        except ValueError as error:
            raise RuntimeError("cannot be imported") from error
    except RuntimeError as error:
        told = author_traceback(error)
    assert "/importlib/" not in told
    assert "no voice" in told
    assert told.endswith("RuntimeError: cannot be imported")


def test_the_place_of_a_thread_is_the_innermost_line_of_the_author() -> None:
    here = thread_place(threading.get_ident())
    assert here is not None
    assert here.endswith("in test_the_place_of_a_thread_is_the_innermost_line_of_the_author")
    assert thread_place(-1) is None


def test_the_place_is_the_authors_line_and_not_the_one_in_pythons_library() -> None:
    with pytest.raises(ValueError, match="Expecting value") as raised:
        json.loads("no")
    place = author_place(raised.value)
    assert place is not None
    assert place.startswith(f"{__file__}:")


class Defined:
    def __call__(self) -> None: ...


@pytest.mark.parametrize("thing", [Defined, Defined(), partial(Defined)], ids=["class", "object", "partial"])
def test_the_place_of_a_definition_is_that_of_the_class_or_function(thing: object) -> None:
    place = definition_place(thing)
    assert place is None if isinstance(thing, partial) else str(place).startswith(f"{__file__}:")


def test_what_the_server_defines_has_no_place_of_the_author() -> None:
    assert definition_place(json_path) is None
