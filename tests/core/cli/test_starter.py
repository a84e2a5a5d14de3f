"""``--starter`` adds the small models that can be served."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ovms_core.app import create_app
from ovms_core.cli.installed import logged_once
from ovms_core.cli.serve.command import with_starter
from ovms_core.cli.serve.starter import with_starter_models
from ovms_core.configuration import ConfigurationError
from ovms_core.models.source import FetchProgress, Offer
from ovms_core.plugin_loading.offerings import Offerings
from ovms_core.settings import ModelSettings, Settings, TaskOptions
from ovms_core.task import Task


class Catalogue:
    scheme = "starter"

    def locate(self, name: str) -> Path | None:
        return None

    def fetch(self, name: str, into: Path, *, offline: bool, progress: FetchProgress) -> None:
        raise NotImplementedError

    def offers(self) -> Sequence[Offer]:
        return [Offer("chat", "starter:chat", "talk", "talks"), Offer("paint", "starter:paint", "images", "paints")]


def offerings(*tasks: str) -> Offerings:
    found: dict[str, Any] = {
        name: Task(name, "nowhere:Engine", TaskOptions, None, None, lambda files: 0) for name in tasks
    }
    return Offerings(tasks=found, sources={"starter": Catalogue()})


def test_models_whose_task_is_installed_are_added() -> None:
    settings = with_starter_models(Settings(device="GPU", models=[ModelSettings(source="a/b")]), offerings("talk"))
    assert [(model.name, model.source, model.device) for model in settings.models] == [
        (None, "a/b", "GPU"),
        ("chat", "starter:chat", "GPU"),
    ]


@pytest.mark.parametrize("own", [ModelSettings(name="chat", source="a/b"), ModelSettings(source="starter:chat")])
def test_one_that_is_configured_already_stays_as_it_is(own: ModelSettings) -> None:
    assert with_starter_models(Settings(models=[own]), offerings("talk")).models == [own]


def test_without_the_catalogue_the_error_names_the_package() -> None:
    with pytest.raises(ConfigurationError, match="pip install ovms-starter"):
        with_starter_models(Settings(), Offerings())


def test_without_any_task_the_error_names_a_plugin() -> None:
    with pytest.raises(ConfigurationError, match="pip install ovms-llm"):
        with_starter_models(Settings(), offerings())


def test_a_plugin_that_fails_is_logged_once_though_the_plugins_are_loaded_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    info = tmp_path / "lost-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lost\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ovms]\nlost = no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    with logged_once():
        settings = with_starter(Settings())
        create_app(settings)
    assert settings.models
    assert [record.message.partition(":")[0] for record in caplog.records if "lost" in record.message] == [
        "plugin lost is quarantined"
    ]
