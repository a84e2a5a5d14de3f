"""Models are found by every name they have."""

from __future__ import annotations

import pytest
from tests.core.support import raising

from ovms_core.errors import APIError
from ovms_core.messages import EngineInfo
from ovms_core.models.events import Change, ModelEvent
from ovms_core.models.model import Model, State, Status
from ovms_core.models.registry import Models, NameTakenError
from ovms_core.runner import RunnerLoad
from ovms_core.settings import ModelSettings, TaskOptions
from ovms_core.task import Task


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
        made.task = task_called(task)
        made.attach(Ready())  # type: ignore[arg-type]
    return made


def task_called(name: str) -> Task:
    return Task(name, "x:Y", TaskOptions, None, None, lambda files: 0)


chat = task_called("chat")


def refusal(models: Models, name: str | None, task: str = "chat") -> APIError:
    with pytest.raises(APIError) as failure:
        models.resolve(name, task)
    return failure.value


def test_a_model_answers_to_its_name_its_aliases_and_its_variants() -> None:
    one = model("qwen3", "chat", "gpt-4o-mini")
    models = Models([one, model("other", "chat")])
    models.recognise(one, chat, ["qwen3:pirate"])
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
    assert error.message == "Model 'e' is for embeddings, not for chat. Models for chat: a."


def test_no_model_for_the_task_is_a_404_and_a_503_while_one_may_still_come() -> None:
    assert refusal(Models([model("e", "embeddings")]), None).status == 404
    assert refusal(Models([model("e", "embeddings"), model("unknown yet")]), None).status == 503


def test_a_failed_or_unloaded_model_is_a_503_that_can_be_retried() -> None:
    failed, unloaded = model("f"), model("u")
    failed.become(State.FAILED, problem="no weights at /srv/models/f/weights.bin")
    unloaded.become(State.UNLOADED)
    models = Models([failed, unloaded])
    for name in ("f", "u"):
        error = refusal(models, name)
        assert error.status == 503
        assert "retry-after" in error.headers
    assert refusal(models, "f").message == "Model 'f' failed: no weights at …/weights.bin"
    assert failed.problem == "no weights at /srv/models/f/weights.bin"


def test_a_name_belongs_to_one_model_only() -> None:
    models = Models([model("a", "chat", "x"), model("b", "chat")])
    with pytest.raises(NameTakenError, match=r"'a' \(org/a\) and 'c' \(org/c\) .* 'x': give one of them another name"):
        models.add(model("c", "chat", "x"))
    with pytest.raises(NameTakenError, match=r"'a'.*'c'.*'x'"):
        models.replace("b", model("c", "chat", "x"))
    with pytest.raises(NameTakenError, match=r"'a'.*'b'.*'x'"):
        models.recognise(models.find("b"), chat, ["x"])
    with pytest.raises(ValueError, match="'a' is already being served"):
        models.add(models.find("a"))
    assert [each.names for each in models] == [["a", "x"], ["b"]]
    models.replace("a", model("c", "chat", "x"))
    assert models.find("x").name == "c"


def test_a_replaced_model_leaves_its_place_and_a_removed_one_its_names() -> None:
    old, new, other = model("old", "chat", "best"), model("new", "chat", "best"), model("other", "chat")
    models = Models([old, other])
    assert models.replace("best", new) is old
    assert list(models) == [new, other]
    assert models.find("best") is new
    assert models.remove("best") is new
    assert refusal(models, "new").code == "model_not_found"
    models.add(old)
    assert list(models) == [other, old]


def test_every_change_is_told_until_nobody_wants_to_know() -> None:
    told: list[ModelEvent] = []
    models = Models()
    unsubscribe = models.subscribe(told.append)
    one, two = model("one"), model("two", "chat")
    models.add(one)
    one.become(State.QUEUED, detail="fetching, 1%")
    one.become(State.QUEUED, detail="fetching, 1%")
    models.recognise(one, chat, [])
    models.replace("one", two)
    one.become(State.UNLOADED)
    models.remove("two")
    unsubscribe()
    unsubscribe()
    models.add(one)
    queued, fetching, ready = Status(State.QUEUED), Status(State.QUEUED, "fetching, 1%"), Status(State.READY)
    assert told == [
        ModelEvent(Change.ADDED, one, queued),
        ModelEvent(Change.CHANGED, one, fetching),
        ModelEvent(Change.CHANGED, one, fetching),
        ModelEvent(Change.REPLACED, two, ready, replaced=one),
        ModelEvent(Change.REMOVED, two, ready),
    ]
    assert [event.gone for event in told] == [None, None, None, one, two]


def test_a_subscriber_that_fails_is_logged_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    told: list[ModelEvent] = []
    models = Models()
    models.subscribe(raising(ZeroDivisionError("a faulty subscriber")))
    models.subscribe(told.append)
    models.add(model("one"))
    assert len(told) == 1
    assert "a subscriber failed: model one was added" in caplog.text
    assert "a faulty subscriber" in caplog.text


def test_a_subscriber_that_breaks_off_the_telling_silences_nobody_for_good() -> None:
    told: list[ModelEvent] = []
    models = Models()

    def break_off(event: ModelEvent) -> None:
        event.model.become(State.LOADING)
        raise KeyboardInterrupt

    forget = models.subscribe(break_off)
    models.subscribe(told.append)
    with pytest.raises(KeyboardInterrupt):
        models.add(model("one"))
    forget()
    models.add(model("two"))
    assert [event.model.name for event in told] == ["one", "two"]


def test_all_hear_events_in_one_order_whoever_causes_them() -> None:
    told: list[ModelEvent] = []
    models = Models()

    def interfere(event: ModelEvent) -> None:
        if event.change is Change.ADDED:
            event.model.become(State.FAILED, problem="refused")

    models.subscribe(interfere)
    models.subscribe(told.append)
    models.add(model("one"))
    assert [(event.change, event.status.state) for event in told] == [
        (Change.ADDED, State.QUEUED),
        (Change.CHANGED, State.FAILED),
    ]


def test_models_may_change_while_somebody_goes_through_them() -> None:
    models = Models([model("a"), model("b")])
    for each in models:
        models.remove(each.name)
    assert len(models) == 0
