"""The command line as a whole: help that is light, errors that are one line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ovms_core

Ovms = Callable[..., "subprocess.CompletedProcess[str]"]

HEAVY = ("httpx2", "huggingface_hub", "numpy", "openvino", "openvino_genai", "transformers", "uvicorn")
SERVER = ("pluggy", "starlette", "yaml", *HEAVY)  # typer itself imports pydantic


def imported_by(environment: dict[str, str], *words: str) -> set[str]:
    """The modules that ``ovms`` with these words has imported when it ends."""
    program = (
        "import json, sys\nfrom ovms_core.cli import main\n"
        f"try:\n    main({list(words)!r})\nexcept SystemExit:\n    print('\\n' + json.dumps(sorted(sys.modules)))\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return set(json.loads(finished.stdout.splitlines()[-1]))


def test_help_imports_nothing_heavy(environment: dict[str, str]) -> None:
    assert not imported_by(environment, "--help") & set(HEAVY)


@pytest.mark.parametrize("words", [("serve", "--help"), ("chat", "--help"), ("version",), ("--version",)])
def test_what_needs_no_plugins_does_not_load_them(environment: dict[str, str], words: tuple[str, ...]) -> None:
    assert not imported_by(environment, *words) & set(SERVER)


@pytest.mark.parametrize("module", ["typer", "ovms_core.cli.app", "uvicorn"])
def test_ctrl_c_while_the_command_is_imported_ends_it_quietly(environment: dict[str, str], module: str) -> None:
    program = (
        "import signal, sys\n"
        "class CtrlC:\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name == {module!r}:\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, CtrlC())\n"
        "from ovms_core.cli import main\n"
        "main(['serve'])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_help_names_every_subcommand_those_of_plugins_too(ovms: Ovms, share_plugin: None) -> None:
    text = ovms("--help").stdout
    for name in ("serve", "pull", "models", "plugins", "doctor", "chat", "version", "greet"):
        assert f"\n  {name}" in text


def test_a_plugins_subcommand_runs(ovms: Ovms, share_plugin: None) -> None:
    assert ovms("greet").stdout == "hello from a plugin\n"


def test_a_blocked_plugin_adds_no_subcommand(ovms: Ovms, share_plugin: None) -> None:
    finished = ovms("greet", OVMS_PLUGINS__BLOCK="share")
    assert finished.returncode == 2
    assert "No such command 'greet'" in finished.stderr


def test_help_works_with_a_broken_configuration(ovms: Ovms, share_plugin: None, tmp_path: Path) -> None:
    (tmp_path / "ovms.yaml").write_text("prt: 1\n")
    finished = ovms("--help")
    assert finished.returncode == 0
    assert "'prt' is not a setting. Did you mean 'port'?" in finished.stderr


@pytest.mark.parametrize("words", [("version",), ("--version",)])
def test_the_version_is_printed(ovms: Ovms, words: tuple[str, ...]) -> None:
    assert ovms(*words).stdout == f"ovms {ovms_core.__version__}\n"


def test_a_wrong_configuration_is_one_line_and_exit_status_2(ovms: Ovms, tmp_path: Path) -> None:
    (tmp_path / "ovms.yaml").write_text("port: 1\nmodls: [a/b]\n")
    finished = ovms("serve")
    assert finished.returncode == 2
    assert finished.stderr == "ovms: ovms.yaml, line 2: 'modls' is not a setting. Did you mean 'models'?\n"


def test_serving_needs_its_plugins_to_be_there(ovms: Ovms) -> None:
    finished = ovms("serve", OVMS_PLUGINS__REQUIRED="absent")
    assert finished.returncode == 2
    assert finished.stderr == "ovms: Plugin 'absent' is required (plugins.required) but not installed.\n"


def test_plugins_are_shown_with_state_and_reason(ovms: Ovms, share_plugin: None) -> None:
    listed = {each["name"]: each for each in json.loads(ovms("plugins", "--json", OVMS_PLUGINS__BLOCK="share").stdout)}
    assert listed["core"]["state"] == "active"
    assert listed["share"] == {
        "name": "share",
        "distribution": "share",
        "version": "0.3",
        "state": "blocked",
        "reason": "by the configuration (plugins)",
        "traceback": "",
        "advice": "",
        "warnings": [],
    }
    assert "share" in ovms("plugins").stdout


def test_what_plugins_wrap_is_shown_when_asked_for(ovms: Ovms) -> None:
    assert "server   core" in ovms("plugins", "-v", OVMS_ACCESS_LOG="true").stdout


def test_starter_models_need_their_package(ovms: Ovms) -> None:
    finished = ovms("serve", "--starter", OVMS_PLUGINS__BLOCK="starter")
    assert finished.returncode == 2
    assert "pip install ovms-starter" in finished.stderr
