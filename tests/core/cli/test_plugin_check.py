"""``ovms plugin check``: each thing that can be wrong with an installed plugin is found and told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from ovms_core.cli.plugin_kit.examination import examine_plugin

Ovms = Callable[..., "subprocess.CompletedProcess[str]"]
Install = Callable[..., None]

HOOKS = """
    from ovms_core.plugin import hookimpl
    {top}

    @hookimpl
    def ovms_register_endpoints(settings):
        from ovms_core.plugin import Body, Endpoint
        {inside}

        class Hello(Endpoint):
            '''Says hello.'''
            path = "{path}"
            body = Body

            async def execute(self, call):
                yield "hello"

        return [Hello()]
"""

CONFORMANCE = """
    from ovms_core.testing import EndpointContract
    import greeting

    class TestHello(EndpointContract):
        plugin = greeting
        valid_body = {body}

    def test_of_another_kind():
        raise AssertionError
"""


@pytest.fixture
def install(tmp_path: Path, environment: dict[str, str]) -> Install:
    """Installs the distribution ``greeting`` with a plugin of that name."""
    site = tmp_path / "site"
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(site), environment.get("PYTHONPATH"))))

    def install(
        path: str = "/hello", *, top: str = "", inside: str = "", requires: str = "ovms-core>=0.1,<0.2"
    ) -> None:
        info = site / "greeting-0.3.dist-info"
        info.mkdir(parents=True)
        (site / "greeting.py").write_text(textwrap.dedent(HOOKS).format(path=path, top=top, inside=inside))
        required = f"Requires-Dist: {requires}\n" if requires else ""
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: greeting\nVersion: 0.3\n{required}")
        (info / "entry_points.txt").write_text("[ovms]\ngreeting = greeting\n")

    return install


def check(ovms: Ovms, *words: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit status of the check, and its verdicts and findings by subject."""
    finished = ovms("plugin", "check", "greeting", "--json", *words)
    assert finished.stdout, finished.stderr
    findings = json.loads(finished.stdout)
    return finished.returncode, {each["subject"]: (each["verdict"], each["found"]) for each in findings}


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    """A folder for the plugin's tests."""
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    return folder


def write_tests(folder: Path, body: str) -> None:
    (folder / "test_greeting.py").write_text(textwrap.dedent(CONFORMANCE).replace("{body}", body))


def test_a_sound_plugin_is_ok_in_everything(ovms: Ovms, install: Install, tests: Path) -> None:
    install()
    write_tests(tests, "{}")
    status, found = check(ovms, "--tests", str(tests))
    assert {verdict for verdict, _ in found.values()} == {"ok"}, found
    assert found["package"][1] == "greeting 0.3, plugin 'greeting'"
    assert found["server"][1] == "POST /v3/hello"
    assert "passed" in found["contract"][1]
    assert status == 0


def test_what_is_not_installed_is_told(ovms: Ovms) -> None:
    status, found = check(ovms)
    assert status == 1
    assert found["package"][0] == "fail"


def test_an_endpoint_that_does_not_conform_fails(ovms: Ovms, install: Install, tests: Path) -> None:
    install()
    write_tests(tests, '{"model": 1}')
    status, found = check(ovms, "--tests", str(tests))
    assert status == 1
    verdict, failed = found["contract"]
    assert verdict == "fail"
    assert re.search("test_a_valid_request_is_answered - .*model", failed), "the reason is told"
    assert "test_of_another_kind" not in failed


def test_what_keeps_all_tests_from_starting_is_told_once(ovms: Ovms, install: Install, tests: Path) -> None:
    install()
    write_tests(tests, "{}; endpoint = int")
    _, found = check(ovms, "--tests", str(tests))
    (line,) = found["contract"][1].splitlines()
    assert re.match(r"ERROR in \d\d tests: .*Set TestHello\.endpoint to one of the plugins' endpoints: Hello\.", line)


def test_tests_that_are_all_skipped_prove_nothing(ovms: Ovms, install: Install, tests: Path) -> None:
    install()
    write_tests(tests, "{}; pytestmark = __import__('pytest').mark.skip(reason='no model here')")
    _, found = check(ovms, "--tests", str(tests))
    assert found["contract"][0] == "warn", found


def test_a_plugin_without_contract_tests_is_warned(ovms: Ovms, install: Install, tests: Path) -> None:
    install()
    assert check(ovms)[1]["contract"] == ("warn", "its tests are not here")
    (tests / "test_greeting.py").write_text("def test_nothing(): pass\n")
    status, found = check(ovms, "--tests", str(tests))
    assert found["contract"] == ("warn", "it has no contract tests")
    assert status == 0


@pytest.mark.parametrize(
    ("requires", "verdict"),
    [("", "fail"), ("ovms-core", "warn"), ("ovms-core==0.1.0", "warn"), ("ovms-core>=0.1", "warn")],
)
def test_a_requirement_that_is_no_range_is_told(ovms: Ovms, install: Install, requires: str, verdict: str) -> None:
    install(requires=requires)
    assert check(ovms)[1]["requirement"][0] == verdict


def test_a_plugin_for_another_core_fails(ovms: Ovms, install: Install) -> None:
    install(requires="ovms-core>=9,<10")
    status, found = check(ovms)
    assert (status, found["loading"][0]) == (1, "fail")
    assert "incompatible" in found["loading"][1]


def test_a_plugin_that_cannot_be_imported_fails(ovms: Ovms, install: Install) -> None:
    install(top="raise RuntimeError('broken')")
    status, found = check(ovms)
    assert status == 1
    assert "quarantined: cannot be imported: RuntimeError: broken" in found["loading"][1]


def test_hooks_that_import_much_fail(ovms: Ovms, install: Install) -> None:
    install(top="import numpy")
    status, found = check(ovms)
    assert status == 1
    assert found["import"] == ("fail", "greeting imports numpy")


def test_an_engine_in_the_server_fails(ovms: Ovms, install: Install) -> None:
    install(inside="import openvino")
    status, found = check(ovms)
    assert status == 1
    assert found["import"][0] == "ok"
    assert found["server"] == ("fail", "the server process imports openvino")


def test_a_route_that_another_plugin_has_fails(ovms: Ovms, install: Install) -> None:
    install("/rerank")
    status, found = check(ovms)
    assert status == 1
    assert "'greeting' and 'rerank'" in found["server"][1]


LIFE = """
    from contextlib import asynccontextmanager
    from ovms_core.plugin import Body, Endpoint, hookimpl

    class Ask(Endpoint):
        path = "/ask"
        body = Body
        task = "text_generation"

        async def execute(self, call):
            yield "hello"

    @hookimpl
    def ovms_register_endpoints():
        return [Ask()]

    @hookimpl(nests="outside")
    def ovms_wrap_execution(endpoint):
        return None

    @hookimpl
    @asynccontextmanager
    async def ovms_lifespan(app):
        app.state.model = next(model for model in app.server.models if "chat" in model.names)
        yield
"""


@pytest.mark.parametrize("model", ["chat", "other"])
def test_the_lifespan_opens_beside_the_other_plugins_and_the_configured_models(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    """It guards requests; where it fails that is a row, and the others follow."""
    install()
    (tmp_path / "site" / "greeting.py").write_text(textwrap.dedent(LIFE))
    (tmp_path / "ovms.yaml").write_text(f"models: [{{name: {model}, source: org/absent}}]\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.chdir(tmp_path)
    found = {each.subject: each for each in examine_plugin("greeting", None)}
    sys.modules.pop("greeting", None)
    assert found["lifespan"].verdict == ("ok" if model == "chat" else "fail")
    assert model == "chat" or "StopIteration" in found["lifespan"].found
    assert (found["import"].verdict, found["server"].found) == ("ok", "POST /v3/ask"), found
