"""What ``ovms serve`` prints at its start."""

from __future__ import annotations

import io
import json
import re
import shlex

import pytest
from rich.console import Console
from tests.core.support import Talk, echo, plugin

from ovms_core.app import create_app
from ovms_core.cli.output import shown_size
from ovms_core.cli.progress import Downloads
from ovms_core.cli.serve import report
from ovms_core.cli.serve.startup import StartupReport
from ovms_core.settings import Settings

CHAT = report.ModelRow("it's", "text_generation", "detected", "CPU", "AUTO", "ready")
FAILED = report.ModelRow("lost", "", "detected", "AUTO", "AUTO", "failed", "no such [file]")


class Bare(Talk):
    bare = True


def screen() -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, width=200, markup=False, highlight=False), text


def test_models_are_shown_with_where_each_decision_came_from() -> None:
    console, text = screen()
    report.print_models(console, [CHAT, FAILED])
    lines = text.getvalue().splitlines()
    assert lines[2].split() == ["it's", "text_generation", "(detected)", "CPU", "(AUTO)", "ready"]
    assert lines[3].endswith("failed  no such [file]")


def test_a_server_without_models_says_how_to_get_some() -> None:
    console, text = screen()
    report.print_models(console, [])
    assert "--starter" in text.getvalue()


def test_routes_are_a_line_for_each_plugin_and_method() -> None:
    console, text = screen()
    rows = [report.RouteRow("POST", "/v3/a", "llm"), report.RouteRow("POST", "/v3/b", "llm")]
    report.print_routes(console, rows)
    assert text.getvalue().splitlines()[2].split() == ["llm", "POST", "/v3/a", "/v3/b"]


def test_plugins_are_shown_with_their_reason() -> None:
    console, text = screen()
    report.print_plugins(console, [report.PluginRow("x", "1.0", "quarantined", "cannot be imported")])
    assert "quarantined  cannot be imported" in text.getvalue()


def test_the_example_is_a_command_that_a_shell_understands() -> None:
    words = shlex.split(report.example_request("http://0.0.0.0:8000", [FAILED, CHAT], needs_key=True))
    assert words[:4] == ["curl", "-s", "-H", "Authorization: Bearer $OVMS_API_KEY"]
    assert words[4] == "http://127.0.0.1:8000/v3/chat/completions"
    assert json.loads(words[-1])["model"] == "it's"


def test_the_example_is_printed_in_one_piece_whatever_the_width() -> None:
    text = io.StringIO()
    report.print_invitation(Console(file=text, width=40), "http://127.0.0.1:1", [CHAT], needs_key=False)
    assert report.example_request("http://127.0.0.1:1", [CHAT], needs_key=False) in text.getvalue()


def test_without_a_ready_model_the_example_lists_the_models() -> None:
    assert report.example_request("http://h:1", [FAILED], needs_key=False) == "curl -s http://h:1/v3/models"


@pytest.mark.parametrize(
    ("url", "reachable"),
    [
        ("http://0.0.0.0:80", "http://127.0.0.1:80"),
        ("http://[::]:80", "http://[::1]:80"),
        ("http://10.0.0.1:80", "http://10.0.0.1:80"),
    ],
)
def test_every_address_is_shown_as_the_loopback_one(url: str, reachable: str) -> None:
    assert report.reachable(url) == reachable


def test_a_download_that_nobody_watches_is_a_line_at_every_quarter() -> None:
    console, text = screen()
    with Downloads(console) as downloads, downloads.of("model") as progress:
        for done in range(0, 4_000_001, 100_000):
            progress(done, 4_000_000)
    lines = text.getvalue().splitlines()
    assert lines[0] == "Fetching model: 0 B of 4.0 MB"
    assert lines[-1] == "Fetching model: 4.0 MB of 4.0 MB"
    assert len(lines) == 5


def test_a_download_at_a_terminal_has_a_bar() -> None:
    text = io.StringIO()
    console = Console(file=text, width=120, force_terminal=True, color_system=None)
    with Downloads(console) as downloads, downloads.of("model") as progress:
        progress(2_000_000, 4_000_000)
    assert "model" in text.getvalue()
    assert "2.0/4.0 MB" in text.getvalue()


@pytest.mark.parametrize(("size", "shown"), [(0, "0 B"), (999, "999 B"), (92_871_040, "92.9 MB"), (5e15, "5000.0 TB")])
def test_sizes_are_shown_for_people(size: float, shown: str) -> None:
    assert shown_size(size) == shown


def test_a_bare_endpoint_is_in_the_table_of_routes_at_both_its_paths() -> None:
    console, text = screen()
    app = create_app(Settings(), [plugin("talk", ovms_register_endpoints=lambda: [Bare(echo)])])
    StartupReport(console, console).listening("http://h:1", app)
    assert re.search(r"POST +/v3/talk +/talk\s", text.getvalue()), text.getvalue()
