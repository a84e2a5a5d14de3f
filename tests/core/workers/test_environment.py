"""Workers get the environment variables that engines need, and no credentials."""

from __future__ import annotations

import dataclasses

import pytest
from tests.core.support import plugin
from tests.core.workers import engines

from ovms_core.testing import app_with, model_without_files
from ovms_core.testing.in_process import connected
from ovms_core.testing.scripted import TASK
from ovms_core.workers.environment import worker_environment

PRIVATE = {
    "OVMS_API_KEY": "a",
    "ALICE_KEY": "b",
    "HF_TOKEN": "c",
    "HUGGING_FACE_HUB_TOKEN": "d",
    "AWS_SECRET_ACCESS_KEY": "e",
    "DATABASE_URL": "f",
    "https_proxy": "g",
    "TORCH_LICENSE_KEY": "h",
    "NEON_DATABASE_URL": "i",
    "INTEL_PAT": "j",
    "HF_ENDPOINT": "https://user:password@mirror.example",
}
USEFUL = {"ONEDNN_VERBOSE": "0", "HF_HOME": "/hf", "NEOReadDebugKeys": "0", "LC_NUMERIC": "C", "TOKENIZERS_X": "1"}


async def test_a_worker_gets_what_engines_need_and_what_the_operator_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**PRIVATE, **USEFUL, "DRIVER_MODE": "1", "DRIVER_KEY": "2"}.items():
        monkeypatch.setenv(name, value)
    task = dataclasses.replace(TASK, engine=f"{engines.__name__}:ShowsEnvironment")
    tasks = plugin("tasks", ovms_register_tasks=lambda: [task])
    app = app_with(tasks, models=[model_without_files("scripted")], worker_environment=["DRIVER_*"])
    async with connected(app) as client:
        seen = (await client.get("/v3/models/scripted")).json()["details"]
    assert USEFUL.items() <= seen.items()
    assert {"PATH", "PYTHONPATH", "DRIVER_MODE", "DRIVER_KEY"} <= seen.keys()
    assert not PRIVATE.keys() & seen.keys()


@pytest.mark.parametrize("name", sorted(PRIVATE))
def test_what_is_private_is_handed_on_only_when_it_is_named(name: str) -> None:
    assert worker_environment(PRIVATE) == {}
    assert worker_environment(PRIVATE, [name]) == {name: PRIVATE[name]}
