"""``ovms pull`` and ``ovms models``, with the source of a plugin."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.core.cli.impostor import answering, document

from ovms_core.cli.fetching import fetch_all
from ovms_core.models.source import SourceError
from ovms_core.settings import PluginSettings, Settings

Ovms = Callable[..., "subprocess.CompletedProcess[str]"]
pytestmark = pytest.mark.usefixtures("share_plugin")

NOWHERE = "http://127.0.0.1:9"  # the discard port, where nobody listens


def test_a_pulled_model_is_in_the_repository(ovms: Ovms, tmp_path: Path) -> None:
    finished = ovms("pull", "share:small", "--model-repository", "store")
    assert finished.returncode == 0, finished.stderr
    path = tmp_path / "store" / "share" / "small"
    assert finished.stdout == f"share:small: {path}\n"
    assert finished.stderr.splitlines() == ["Fetching share:small: 1 B of 4 B", "Fetching share:small: 4 B of 4 B"]
    listed = json.loads(ovms("models", "--json", "--url", NOWHERE, "--model-repository", "store").stdout)
    assert listed["stored"] == [{"source": "share:small", "path": str(path), "size": 4}]


def test_a_model_that_is_here_is_not_fetched_again(ovms: Ovms) -> None:
    ovms("pull", "share:small")
    assert ovms("pull", "share:small").stderr == ""


def test_a_model_that_cannot_be_had_is_one_line_and_exit_status_2(ovms: Ovms) -> None:
    finished = ovms("pull", "share:absent")
    assert (finished.returncode, finished.stderr) == (2, "ovms: share:absent is not there: name another.\n")


@pytest.mark.parametrize("model", ["org/name", "hf:org/name", "pypi:name"])
def test_without_the_plugin_that_fetches_it_a_model_is_refused_with_what_to_install(model: str) -> None:
    with pytest.raises(SourceError, match="run 'pip install ovms-sources'"):
        fetch_all([model], Settings(plugins=PluginSettings(block=["sources"])))


def test_ctrl_c_stops_a_pull_with_a_word_and_exit_status_130(environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ovms_core.cli", "pull", "share:endless"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "Fetching share:endless: 1 B of 4 B\n"
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert rest == "\nStopped. What was downloaded is kept: run the same command again to resume.\n"


def test_offers_and_an_absent_server_are_shown(ovms: Ovms) -> None:
    finished = ovms("models", "--url", NOWHERE)
    assert finished.returncode == 0
    assert "a small one" in finished.stdout
    assert f"No server answers at {NOWHERE}" in finished.stdout


def test_what_engines_say_of_their_models_is_shown(ovms: Ovms) -> None:
    details = {"block_size": 32, "end_tokens": {"<|im_end|>": 2, "</s>": 0}, "sizes": [64, 128]}
    model = {"id": "tiny", "task": "text_generation", "device": "CPU", "state": "ready", "details": details}
    with answering(lambda path, body: document({"data": [model, {"id": "other", "state": "queued"}]})) as url:
        shown = ovms("models", "--url", url).stdout
    assert "tiny  block_size 32, end_tokens <|im_end|> 2, </s> 0, sizes 64, 128" in shown
