"""The command ``ovms conformance``."""

from __future__ import annotations

import json

import pytest
import typer
from tests.core.cli.impostor import Answering, answering, document
from typer.testing import CliRunner, Result

from ovms_conformance import hooks
from ovms_core.command import ServerError


def conformance(url: str, *options: str) -> Result:
    """How the command ends."""
    cli = typer.Typer()
    cli.callback()(lambda: None)
    hooks.ovms_register_commands(cli)
    return CliRunner().invoke(cli, ["conformance", url, *options])


def examined(answer: Answering, *options: str) -> Result:
    """How the command ends for a server with these answers."""
    with answering(answer) as url:
        return conformance(url, *options)


def test_it_prints_json_for_programs() -> None:
    ended = examined(lambda path, body: document({"object": "list", "data": []}), "--json")
    assert ended.exit_code == 0, ended.output
    features = {each["feature"]: each for each in json.loads(ended.stdout)["features"]}
    assert features["list models"]["verdict"] == "yes"
    assert features["answer"]["verdict"] == "skipped"


def test_it_prints_tables_for_people() -> None:
    ended = examined(lambda path, body: document({"error": {"message": "nothing here"}}, 404))
    assert "404: nothing here" in ended.stdout
    assert ended.stdout.strip().splitlines()[-1].endswith("skipped")


def test_the_page_that_it_prints_says_how_it_was_made() -> None:
    ended = examined(lambda path, body: document({}, 404), "--markdown", "--rerank-model", "r")
    assert ended.stdout.startswith("# Conformance\n")
    assert "    ovms conformance URL --rerank-model r --markdown\n" in ended.stdout


def test_a_key_that_the_server_does_not_take_ends_it() -> None:
    ended = examined(lambda path, body: document({"error": {"message": "no"}}, 401))
    assert isinstance(ended.exception, ServerError)
    assert "wants another API key: give it with --api-key or OVMS_API_KEY" in str(ended.exception)


@pytest.mark.parametrize(
    ("url", "said"), [("http://127.0.0.1:9", "No server answers at"), ("ftp://x", "is no address of a server")]
)
def test_a_server_that_is_not_there_ends_it_with_a_reason(url: str, said: str) -> None:
    ended = conformance(url)
    assert isinstance(ended.exception, ServerError)
    assert said in str(ended.exception)
