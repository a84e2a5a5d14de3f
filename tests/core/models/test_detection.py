"""Which task a model is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ovms_core.errors import LoadError
from ovms_core.model_files import ModelFiles
from ovms_core.models.detection import choose_task
from ovms_core.settings import TaskOptions
from ovms_core.task import Task

FILES = ModelFiles(Path(), frozenset({"model.xml"}))


def tasks(**scores: int) -> dict[str, Task]:
    return {name: _task(name, score) for name, score in scores.items()}


def _task(name: str, score: int) -> Task:
    return Task(name, "x:Y", TaskOptions, None, None, lambda files: score)


def test_the_surest_task_wins() -> None:
    assert choose_task(FILES, tasks(chat=10, embeddings=90, rerank=0), None).name == "embeddings"


def test_the_configuration_decides_before_detection() -> None:
    assert choose_task(FILES, tasks(chat=10, embeddings=90), "chat").name == "chat"


def test_a_tie_names_both() -> None:
    with pytest.raises(LoadError, match=r"chat or rerank\. Set `task`"):
        choose_task(FILES, tasks(rerank=5, chat=5, other=1), None)


def test_files_that_no_task_knows_name_the_tasks_there_are() -> None:
    with pytest.raises(LoadError, match=r"tasks: chat, rerank"):
        choose_task(FILES, tasks(rerank=0, chat=0), None)
    with pytest.raises(LoadError, match="install a plugin"):
        choose_task(FILES, {}, None)


def test_a_task_that_is_not_installed_is_an_error_with_those_that_are() -> None:
    with pytest.raises(LoadError, match=r"'speech' is unknown. Installed tasks: chat"):
        choose_task(FILES, tasks(chat=1), "speech")
    with pytest.raises(LoadError, match=r"Did you mean 'embeddings'\?"):
        choose_task(FILES, tasks(chat=1, embeddings=1), "embedding")


def test_files_that_could_not_be_read_are_named_when_no_task_knows_the_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")

    def detect(files: ModelFiles) -> int:
        return 90 if files.json("config.json") else 0

    task = Task("chat", "x:Y", TaskOptions, None, None, detect)
    with pytest.raises(LoadError, match=r"'config\.json' of the model cannot be read: it is not JSON"):
        choose_task(ModelFiles.at(tmp_path), {"chat": task, "other": task}, None)
