"""How the start of a server is shown, with a real application that does not run."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from ovms_core.app import Application, create_app
from ovms_core.cli.serve.startup import StartupReport
from ovms_core.configuration import read_settings
from ovms_core.models.model import Model, State

URL = "http://127.0.0.1:1"


@pytest.fixture
def app(tmp_path: Path) -> Application:
    (tmp_path / "ovms.yaml").write_text("models:\n- one=pypi:a\n- source: pypi:b\n  device: GPU\n")
    return create_app(read_settings(environ={}, directory=tmp_path, overrides={"host": "::1"}), plugins=[])


@pytest.fixture
def kept_logging() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    root.handlers.clear()  # or else `basicConfig(force=True)` would close pytest's own
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


class Screen:
    """Stdout and stderr as text."""

    def __init__(self, *, terminal: bool = False) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.report = StartupReport(
            Console(file=self.out, width=200),
            Console(file=self.err, width=200, force_terminal=terminal, color_system=None),
        )


def models(app: Application) -> list[Model]:
    return list(app.server.models)


def test_plugins_and_routes_are_shown_once_it_listens(app: Application) -> None:
    screen = Screen()
    screen.report.listening(URL, app)
    assert "core" in screen.out.getvalue()
    assert screen.out.getvalue().count("/models ") == 1
    assert "/health" in screen.out.getvalue()


def test_progress_is_a_line_for_every_change_where_nobody_watches(app: Application) -> None:
    screen = Screen()
    with screen.report as report:
        for detail in (None, "fetching, 1 %", "fetching, 2 %"):
            models(app)[0].become(State.QUEUED, detail=detail)
            report.progress(app)
    assert screen.err.getvalue().splitlines() == ["one: queued", "b: queued", "one: fetching"]


def test_progress_is_redrawn_at_a_terminal(app: Application) -> None:
    screen = Screen(terminal=True)
    with screen.report as report:
        models(app)[0].become(State.QUEUED, detail="fetching, 50 %")
        report.progress(app)
        for model in models(app):
            model.become(State.FAILED, problem="not there")
        report.progress(app)
    assert "fetching, 50 %" in screen.err.getvalue()


def test_settled_models_are_shown_with_where_their_device_was_written(app: Application) -> None:
    for model in models(app):
        model.become(State.FAILED, problem="not there")
    screen = Screen()
    screen.report.settled(URL, app)
    rows = [line.split() for line in screen.out.getvalue().splitlines()]
    assert ["one", "AUTO", "(AUTO)", "failed", "not", "there"] in rows
    assert ["b", "GPU", "(ovms.yaml,", "line", "4)", "failed", "not", "there"] in rows
    assert f"curl -s {URL}/v3/models" in screen.out.getvalue()


def test_a_server_that_is_stopped_before_invites_nobody(app: Application) -> None:
    for model in models(app):
        model.become(State.UNLOADED)
    screen = Screen()
    screen.report.settled(URL, app)
    assert screen.out.getvalue() == ""


@pytest.mark.usefixtures("kept_logging")
@pytest.mark.parametrize("terminal", [False, True])
def test_the_log_goes_to_stderr(terminal: bool) -> None:
    screen = Screen(terminal=terminal)
    screen.report.log_to("warning")
    logging.getLogger("ovms").info("quiet")
    logging.getLogger("ovms").warning("loud")
    assert "loud" in screen.err.getvalue()
    assert "quiet" not in screen.err.getvalue()
