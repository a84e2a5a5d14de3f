"""What an author's engine does wrong is in the log, with its place; clients see nothing of the machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml
from tests.authors.installed import Server, install, serving
from tests.authors.mistakes import ENGINES, Request


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all, with a model for each."""
    folder = tmp_path_factory.mktemp("engines")
    names = [mistake.module for mistake in ENGINES]
    install(names, folder)
    models = [{"name": name, "source": str(folder), "task": name, "device": "CPU", "step_timeout": 1} for name in names]
    (folder / "ovms.yaml").write_text(yaml.safe_dump({"models": models}))
    with serving(folder) as server:
        yield server


@pytest.mark.parametrize("mistake", ENGINES, ids=lambda mistake: mistake.module)
def test_the_log_tells_a_mistake_of_an_engine_and_its_client_learns_nothing_of_the_machine(
    server: Server, mistake: Request
) -> None:
    answer = server.ask("POST", f"/v1/{mistake.module}", {})
    assert answer.status_code == mistake.status, answer.text
    if mistake.code is not None:
        error = answer.json()["error"]
        assert error["code"] == mistake.code
        assert f"(request id {answer.headers['x-request-id']})" in error["message"]
        assert "/srv" not in answer.text
        assert server.records(answer.headers["x-request-id"], "the engine failed on request")
    assert server.records(f"ovms.model.{mistake.module}", *mistake.told)
    server.serves()
