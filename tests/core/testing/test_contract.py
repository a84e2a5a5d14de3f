"""`EndpointContract`: what is sound passes, and every fault is found by the test that is there for it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from tests.core.testing.faulty_endpoints import Echo, plugin_of

from ovms_core.plugin import hookimpl
from ovms_core.testing import EndpointContract, scripted_model, scripted_plugin
from ovms_core.testing.contract.subject import running
from ovms_core.testing.scripted import ScriptEndpoint

FAULTY = Path(__file__).parent / "faulty_endpoints.py"


class TestScripted(EndpointContract):
    """The scripted endpoint: it streams, and its requests can be resumed."""

    plugin = scripted_plugin
    endpoint = ScriptEndpoint
    models = (scripted_model(),)
    valid_body: ClassVar = {"count": 20, "seconds": 0.002}

    def said(self, document: Any) -> str:
        text: str = document["text"] if isinstance(document, dict) else document[2]
        return text


@pytest.fixture(scope="module")
def failures() -> dict[str, set[str]]:
    """The tests that failed, by the class of the faulty endpoint."""
    options = ["-q", "-rf", "--tb=no", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    command = [sys.executable, "-m", "pytest", str(FAULTY), *options]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    failed: dict[str, set[str]] = {}
    for kind, name in re.findall(r"^FAILED \S+::(\w+)::(\w+)", finished.stdout, re.MULTILINE):
        failed.setdefault(kind, set()).add(name)
    assert "passed" in finished.stdout, finished.stdout + finished.stderr
    return failed


@pytest.mark.parametrize("kind", ["TestSound", "TestSoundWithoutEvents"])
def test_a_sound_endpoint_without_an_engine_passes(failures: dict[str, set[str]], kind: str) -> None:
    assert kind not in failures


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        ("TestTakesAnyType", "test_a_value_of_the_wrong_type_is_a_400_that_names_it"),
        ("TestTrustsItsTexts", "test_a_text_without_sense_is_no_fault_of_the_server"),
        ("TestTakesUnknownFields", "test_an_unknown_field_is_named_as_ignored_or_refused_on_demand"),
        ("TestParsesByItself", "test_a_body_that_is_not_json_is_a_400"),
        ("TestParsesByItself", "test_a_media_type_that_is_not_taken_is_a_415"),
        ("TestHidesTexts", "test_a_guardrail_can_read_every_text"),
        ("TestHidesItsAnswer", "test_a_guardrail_can_redact_every_text_of_an_answer"),
        ("TestRunsLinesTogether", "test_a_guardrail_can_redact_every_text_of_an_answer"),
        ("TestSaysSomethingElse", "test_an_answer_is_what_its_documentation_says"),
        ("TestSaysLessInStreams", "test_a_stream_says_what_the_whole_answer_says"),
        ("TestNeverEndsItsStreams", "test_a_stream_ends_properly"),
        ("TestSwallowsErrors", "test_a_guardrail_that_blocks_blocks_both_modes"),
        ("TestSwallowsErrors", "test_an_error_in_mid_stream_is_its_last_frame"),
        ("TestOutlivesItsClient", "test_a_client_that_leaves_closes_its_request_to_the_engine"),
        ("TestChangesItsMind", "test_a_killed_engine_is_a_pause_or_a_clean_error"),
        ("TestChangesItsMind", "test_an_execution_that_is_closed_has_closed_its_requests_to_the_engine"),
        ("TestHasNoDocstring", "test_the_openapi_entry_is_valid"),
        ("TestDiesOfCancellation", "test_cancelled_requests_free_their_slots_and_harm_nobody"),
    ],
)
def test_a_fault_is_found(failures: dict[str, set[str]], kind: str, test: str) -> None:
    assert test in failures.get(kind, set())


async def test_the_endpoint_under_test_is_the_plugins_own_whatever_it_needs() -> None:
    echo = Echo()

    class Own(EndpointContract):
        plugin = plugin_of(echo)
        needs = (scripted_plugin,)
        valid_body: ClassVar = {"text": "one"}

    async with running(Own) as subject:
        assert subject.endpoint is echo


async def test_of_several_endpoints_one_must_be_named() -> None:
    class Louder(Echo):
        path = "/louder"

    class Vague(EndpointContract):
        plugin = SimpleNamespace(__name__="two", ovms_register_endpoints=hookimpl(lambda: [Echo(), Louder()]))
        valid_body: ClassVar = {"text": "one"}

    with pytest.raises(AssertionError, match=r"Set Vague\.endpoint to one of .*Louder"):
        async with running(Vague):
            pass


def test_a_test_cannot_be_removed() -> None:
    with pytest.raises(TypeError, match="test_a_stream_ends_properly replaces a test"):
        type("TestLess", (EndpointContract,), {"test_a_stream_ends_properly": None})


def test_a_test_cannot_be_replaced() -> None:
    async def passes(self: object) -> None:
        """Nothing."""

    with pytest.raises(TypeError, match="xfail"):
        type("TestLess", (EndpointContract,), {"test_a_stream_ends_properly": passes})
    without_reason = pytest.mark.xfail(passes)
    with pytest.raises(TypeError, match="reason"):
        type("TestLess", (EndpointContract,), {"test_a_stream_ends_properly": without_reason})


async def test_a_test_that_is_taken_away_later_is_missed() -> None:
    cls = type("TestLess", (EndpointContract,), {})
    await cls().test_no_test_was_left_out()
    setattr(cls, "test_a_stream_ends_properly", None)  # noqa: B010 - mypy does not know the attribute
    with pytest.raises(TypeError, match="replaces a test"):
        await cls().test_no_test_was_left_out()


def test_a_test_can_be_expected_to_fail_for_a_reason() -> None:
    @pytest.mark.xfail(reason="the dialect has no end")
    async def fails(self: object) -> None:
        raise AssertionError

    type("TestLess", (EndpointContract,), {"test_a_stream_ends_properly": fails})


@pytest.mark.parametrize("mark", ["xfail", "skip", "xfail('no reason by name')"])
def test_a_class_is_not_set_aside_without_a_reason(tmp_path: Path, mark: str) -> None:
    (tmp_path / "test_less.py").write_text(
        "import pytest\nfrom ovms_core.testing import EndpointContract, scripted_plugin\n\n"
        f"@pytest.mark.{mark}\nclass TestLess(EndpointContract):\n    plugin = scripted_plugin\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"has {mark.partition('(')[0]} without reason" in finished.stdout + finished.stderr


def test_the_pytest_plugin_is_light() -> None:
    program = "import sys, ovms_core.testing.pytest_plugin; print('starlette' in sys.modules, 'httpx' in sys.modules)"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout == "False False\n"
