"""Each mistake of an author is told in the author's terms, and harms nobody else. `mistakes` says how to add one."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from signal import SIGTERM

import pytest
from tests.authors.installed import Process, Server, install, ovms, serving, squeezed, starting
from tests.authors.mistakes import REQUESTS, STARTUP, STOPPING, Request, Startup, Stopping
from typer.testing import CliRunner

from ovms_core.app import create_app
from ovms_core.cli.app import create_cli
from ovms_core.cli.plugin_kit.examination import examine_plugin
from ovms_core.cli.probes.software import plugins as plugin_findings_of
from ovms_core.configuration import read_settings
from ovms_core.errors import PluginError
from ovms_core.settings import PluginSettings, Settings


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all are installed that do not stop the start."""
    folder = tmp_path_factory.mktemp("site")
    install([mistake.module for mistake in INSTALLED], folder)
    return folder


@pytest.fixture(scope="module")
def server(site: Path, hanging: Process) -> Iterator[Server]:
    """One server for all, while the other hangs."""
    with serving(site, OVMS_REQUEST_TIMEOUT="3") as server:
        yield server


@pytest.fixture(scope="module")
def hanging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server that does not come to serve, for a plugin hangs."""
    folder = tmp_path_factory.mktemp("hanging")
    install(["hangs"], folder)
    with starting(folder) as process:
        yield process


@pytest.fixture(scope="module")
def listing(site: Path) -> str:
    """What ``ovms plugins -v`` says of all."""
    return squeezed(ovms(site, "plugins", "-v"))


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: Mistake) -> Iterator[str]:
    """The module of the test's mistake, which is installed in this process, beside the good plugin alone."""
    install([mistake.module], tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield mistake.module
    _forget()


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in {"good", "wrong"}]:
        del sys.modules[name]


Mistake = Startup | Stopping | Request
EVERY: list[Mistake] = [*STARTUP, *STOPPING, *REQUESTS]
CHECKED = [mistake for mistake in EVERY if mistake.check is not None]
INSTALLED: list[Startup | Request] = [*STARTUP, *REQUESTS]


def each_of(mistakes: Iterable[Mistake]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("mistake", [*mistakes], ids=lambda mistake: mistake.module)


def test_the_others_serve(server: Server) -> None:
    server.serves()


@each_of(mistake for mistake in STARTUP if not mistake.ending)
def test_the_log_tells_a_mistake_at_startup(server: Server, mistake: Startup) -> None:
    assert server.records(mistake.module, *mistake.told)


@each_of(mistake for mistake in STARTUP if mistake.listed)
def test_the_list_of_plugins_tells_a_mistake_at_startup(listing: str, mistake: Startup) -> None:
    assert all(squeezed(text) in listing for text in mistake.told), listing


@each_of(STOPPING)
def test_what_stops_the_start_is_told(alone: str, mistake: Stopping) -> None:
    with pytest.raises(PluginError) as caught:
        create_app(Settings(plugins=PluginSettings(allow=[alone, "good"])))
    assert all(text in str(caught.value) for text in mistake.told), caught.value


@each_of(mistake for mistake in STOPPING if mistake.listed)
def test_the_list_of_plugins_tells_what_stops_the_start(
    alone: str, mistake: Stopping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVMS_PLUGINS__ALLOW", f"{alone},good")
    monkeypatch.setenv("OVMS_PLUGINS__REQUIRED", "good")
    listed = CliRunner().invoke(create_cli(), ["plugins", "-v"])
    table, told, _ = listed.stdout.partition(f"{alone} is quarantined: ")
    assert (listed.exit_code, bool(told)) == (2, True)
    assert "good" in table
    assert all(squeezed(text) in squeezed(listed.output) for text in mistake.told), listed.output
    assert "It may guard requests, so the server does not start without it." in listed.stderr


def test_the_list_of_plugins_and_the_doctor_show_where_a_required_one_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(["guard_raises", "hook_raises"], tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("OVMS_PLUGINS__ALLOW", "hook_raises,guard_raises,good")
    monkeypatch.setenv("OVMS_PLUGINS__REQUIRED", "hook_raises")
    listed = CliRunner().invoke(create_cli(), ["plugins", "-v"])
    assert (listed.exit_code, "return whole / parts" in listed.stdout) == (2, True)
    assert "'hook_raises' is required (plugins.required) but quarantined" in listed.stderr
    findings = {each.found: each for each in plugin_findings_of(read_settings())}
    assert any("return whole / parts" in found and "quarantined" in found for found in findings), findings
    assert any('raise ValueError("no policy")' in found for found in findings), findings
    assert sum(found.startswith("Plugin '") for found in findings) == 2
    _forget()


@each_of(CHECKED)
def test_the_check_of_a_plugin_tells_a_mistake(alone: str, mistake: Mistake) -> None:
    findings = "\n".join(f"{each.found} {each.advice}" for each in examine_plugin(alone, None))
    assert all(squeezed(text) in squeezed(findings) for text in mistake.check or mistake.told), findings


@each_of(REQUESTS)
def test_the_log_tells_a_mistake_at_a_request_and_the_others_serve(server: Server, mistake: Request) -> None:
    answer = server.ask(mistake.method, mistake.path or f"/v1/{mistake.module}", mistake.body)
    assert answer.status_code == mistake.status, answer.text
    if mistake.code is not None:
        assert answer.json()["error"]["code"] == mistake.code
    if mistake.told:
        assert server.records(mistake.module, *mistake.told)
    server.serves()


def test_sigterm_ends_the_server(server: Server) -> None:
    """The last but one of this file, for all share one server."""
    server.serves()
    assert server.end() == 0
    for mistake in STARTUP:
        assert server.records(mistake.module, *mistake.told)


def test_a_plugin_that_hangs_is_named_and_the_server_can_be_ended(hanging: Process) -> None:
    assert hanging.records("plugin hangs delays the start: the import of wrong.hangs", "hangs.py:9 in wait_for_ever")
    assert hanging.end() == -SIGTERM
