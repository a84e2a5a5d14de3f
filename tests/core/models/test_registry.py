"""Models are found by every name they have."""

from __future__ import annotations

import pytest

from ovms_core.errors import APIError
from ovms_core.messages import EngineInfo
from ovms_core.models.model import Model
from ovms_core.models.registry import Models
from ovms_core.runner import RunnerLoad
from ovms_core.settings import ModelSettings
from ovms_core.task import Task, TaskOptions


class Ready:
    """A runner that is ready."""

    info: EngineInfo | None = EngineInfo(slots=1, device="CPU")
    ready = True
    failed = False
    problem: str | None = None

    def submit(self, request: object) -> object:
        raise NotImplementedError

    def load(self) -> RunnerLoad:
        return RunnerLoad(0, 0, 0)

    async def settled(self) -> None: ...

    async def stop(self) -> None: ...


def model(name: str, task: str | None = None, *aliases: str) -> Model:
    made = Model(ModelSettings(name=name, source=f"org/{name}", aliases=list(aliases)))
    if task:
        made.task = Task(task, "x:Y", TaskOptions, None, None, lambda files: 0)
        made.runner = Ready()  # type: ignore[assignment]
    return made


def refusal(models: Models, name: str | None, task: str = "chat") -> APIError:
    with pytest.raises(APIError) as failure:
        models.resolve(name, task)
    return failure.value


def test_a_model_answers_to_its_name_its_aliases_and_its_variants() -> None:
    one = model("qwen3", "chat", "gpt-4o-mini")
    one.variants = ["qwen3:pirate"]
    models = Models([one, model("other", "chat")])
    assert {models.find(name) for name in ("qwen3", "gpt-4o-mini", "qwen3:pirate")} == {one}


def test_a_name_is_not_needed_where_one_model_does_the_task() -> None:
    one = model("chatter", "chat")
    assert Models([one, model("embedder", "embeddings")]).resolve(None, "chat") is one


def test_a_name_is_needed_where_several_do() -> None:
    error = refusal(Models([model("a", "chat"), model("b", "chat")]), None)
    assert (error.status, error.code, error.message) == (
        400,
        "missing_field",
        "Field 'model' is required, one of: a, b.",
    )


def test_an_unknown_name_gets_the_nearest_and_the_list() -> None:
    error = refusal(Models([model("qwen3", "chat")]), "qwen4")
    assert (error.status, error.code) == (404, "model_not_found")
    assert "Did you mean 'qwen3'? Served models: qwen3." in error.message


def test_an_endless_name_costs_and_shows_little() -> None:
    assert len(refusal(Models([model("qwen3", "chat")]), "q" * 10_000_000).message) < 500


def test_a_model_of_another_task_is_a_400_that_names_those_that_do() -> None:
    error = refusal(Models([model("a", "chat"), model("e", "embeddings")]), "e")
    assert (error.status, error.code) == (400, "wrong_task")
    assert error.message == "Model 'e' does embeddings, not chat. Models that do: a."


def test_no_model_for_the_task_is_a_404_and_a_503_while_one_may_still_come() -> None:
    assert refusal(Models([model("e", "embeddings")]), None).status == 404
    assert refusal(Models([model("e", "embeddings"), model("unknown yet")]), None).status == 503


def test_a_failed_or_unloaded_model_is_a_503_that_can_be_retried() -> None:
    failed, unloaded = model("f", "chat"), model("u", "chat")
    failed.failure = "no weights at /srv/models/f/weights.bin"
    unloaded.unloaded = True
    models = Models([failed, unloaded])
    for name in ("f", "u"):
        error = refusal(models, name)
        assert error.status == 503
        assert "retry-after" in error.headers
    assert refusal(models, "f").message == "Model 'f' failed: no weights at …/weights.bin"
    assert failed.problem == "no weights at /srv/models/f/weights.bin"
