"""Models are brought up one by one, fail with a reason, and go away."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.core.support import Client, counted, plugin, raising, supervisor_of, until, words, worker_pid

from ovms_core.application import Application
from ovms_core.configuration import ConfigurationError
from ovms_core.models import lifecycle
from ovms_core.models.events import Change, ModelEvent
from ovms_core.models.model import Model, State
from ovms_core.models.registry import NameTakenError
from ovms_core.plugin import FetchProgress, Offer, SourceError
from ovms_core.settings import ModelSettings, TaskOptions
from ovms_core.task import Task
from ovms_core.testing import (
    FakeEngine,
    Word,
    app_with,
    connected,
    scripted_model,
    scripted_plugin,
    serving,
)


class Slow:
    """A source whose fetch goes on until it is stopped."""

    scheme = "slow"

    def __init__(self) -> None:
        self.started = threading.Event()
        self.stopped = threading.Event()

    def locate(self, name: str) -> Path | None:
        return None

    def fetch(self, name: str, into: Path, *, offline: bool, progress: FetchProgress) -> None:
        try:
            while True:
                progress(25, 100)
                self.started.set()
                self.stopped.wait(0.01)
        finally:
            self.stopped.set()

    def offers(self) -> Sequence[Offer]:
        return ()


class Broken(Slow):
    """A source that raises."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def fetch(self, name: str, into: Path, **settings: Any) -> None:
        raise self._error


def from_source(source: Any) -> Any:
    return plugin("source", ovms_register_sources=lambda: [source])


async def test_models_are_loaded_one_after_the_other_in_any_state_of_the_others() -> None:
    models = [scripted_model("a", load_seconds=0.3), scripted_model("b", load_error="no"), scripted_model("c")]
    app = app_with(scripted_plugin, models=models)

    def states() -> list[State]:
        return [model.state for model in app.server.models]

    async with serving(app, settled=False):
        settling = asyncio.create_task(app.server.lifecycle.settled())
        while not settling.done():
            assert states().count(State.LOADING) <= 1
            await asyncio.sleep(0.005)
        assert states() == [State.READY, State.FAILED, State.READY]


async def test_a_model_whose_load_hangs_does_not_hold_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lifecycle, "_TURN", 0.1)
    app = app_with(scripted_plugin, models=[scripted_model(name, load_seconds=3600) for name in "ab"])
    async with serving(app, settled=False):
        await until(lambda: all(model.state is State.LOADING for model in app.server.models))
        assert "is still loading after 0.1 s" in caplog.text
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(app.server.lifecycle.settled(), 0.05)


async def test_at_the_end_every_worker_process_is_gone() -> None:
    app = app_with(scripted_plugin, models=[scripted_model(name) for name in "ab"])
    async with serving(app):
        pids = [worker_pid(app, model.name) for model in app.server.models]
    assert not any(map(psutil.pid_exists, pids))
    assert {model.state for model in app.server.models} == {State.UNLOADED}


async def test_waiting_for_the_models_in_vain_does_not_stop_them() -> None:
    app = app_with(scripted_plugin, models=[scripted_model(load_seconds=0.3)])
    async with serving(app, settled=False):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(app.server.lifecycle.settled(), 0.05)
        await app.server.lifecycle.settled()
        assert next(iter(app.server.models)).state is State.READY


async def test_a_fetch_shows_how_far_it_is_and_stops_with_the_server(tmp_path: Path) -> None:
    source = Slow()
    model = ModelSettings(name="m", source="slow:m")
    app = app_with(scripted_plugin, from_source(source), models=[model], model_repository=str(tmp_path))
    async with serving(app, settled=False) as url, Client(url) as client:
        await asyncio.to_thread(source.started.wait)
        assert (await client.get("/v3/models/m")).json()["detail"] == "fetching, 25%"
    assert await asyncio.to_thread(source.stopped.wait, 5)


async def test_a_fetch_that_hangs_does_not_keep_the_server(tmp_path: Path) -> None:
    class Hanging(Slow):
        def fetch(self, name: str, into: Path, **settings: Any) -> None:
            self.thread = threading.current_thread()
            self.started.set()
            self.stopped.wait()

    source = Hanging()
    model = ModelSettings(name="m", source="slow:m")
    app = app_with(scripted_plugin, from_source(source), models=[model], model_repository=str(tmp_path))
    async with asyncio.timeout(5):
        async with serving(app, settled=False):
            await asyncio.to_thread(source.started.wait)
    assert source.thread.is_alive()
    assert source.thread.daemon, "a process that ends would wait for it"
    source.stopped.set()


async def test_a_fetch_that_fails_by_the_network_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Flaky(Slow):
        failures = 3

        def fetch(self, name: str, into: Path, **settings: Any) -> None:
            self.failures -= 1
            if self.failures >= 0:
                raise SourceError("The network is away.", transient=True)
            (into / "script.json").touch()

    monkeypatch.setattr(lifecycle, "_FIRST_PATIENCE", 0.2)
    model = ModelSettings(name="m", source="slow:m", task="scripted")
    app = app_with(scripted_plugin, from_source(Flaky()), models=[model], model_repository=str(tmp_path))
    async with serving(app) as url, Client(url) as client:
        answer = await client.say("/v1/script", count=1)
        assert answer.status_code == 503
        assert "The network is away." in answer.text
        assert (await client.get("/v3/models/m")).json()["detail"].startswith("tried again after ")
        served = next(iter(app.server.models))
        await until(lambda: served.state is State.READY)
        assert (await client.say("/v1/script", count=1)).status_code == 200


async def test_a_server_that_waits_to_try_a_fetch_again_can_be_stopped(tmp_path: Path) -> None:
    source = Broken(SourceError("The network is away.", transient=True))
    model = ModelSettings(name="m", source="slow:m")
    app = app_with(scripted_plugin, from_source(source), models=[model], model_repository=str(tmp_path))
    async with asyncio.timeout(5), serving(app):
        assert next(iter(app.server.models)).state is State.FAILED


SECRET = "not with the token in /srv/models/m/token"


@pytest.mark.parametrize(
    "kind", [SourceError, ZeroDivisionError, SystemExit, KeyboardInterrupt, asyncio.CancelledError]
)
async def test_a_fetch_that_fails_fails_its_model_and_only_what_is_written_for_its_reader_is_told(
    tmp_path: Path, kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    model = ModelSettings(name="m", source="slow:m")
    source = from_source(Broken(kind(SECRET)))
    app = app_with(scripted_plugin, source, models=[model], model_repository=str(tmp_path))
    async with asyncio.timeout(5), serving(app) as url, Client(url) as client:
        shown = (await client.get("/v3/models/m")).json()
        assert shown["state"] == "failed"
        assert ("not with the token in …/token" in shown["error"]) == (kind is SourceError)
        assert kind is SourceError or "the server's log says why" in shown["error"]
    assert SECRET in caplog.text


@pytest.mark.parametrize("kind", [ZeroDivisionError, SystemExit])
async def test_a_task_that_fails_at_a_look_at_the_files_fails_neither_the_start_nor_the_other_tasks(
    tmp_path: Path, kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    broken = Task("broken", "no:Engine", TaskOptions, Any, Any, detect=raising(kind("cannot look")))
    for name in ("known", "unknown"):
        (tmp_path / name).mkdir()
    (tmp_path / "known" / "script.json").touch()
    (tmp_path / "unknown" / "model.onnx").touch()
    models = [ModelSettings(name=name, source=str(tmp_path / name)) for name in ("known", "unknown")]
    app = app_with(scripted_plugin, plugin("broken", ovms_register_tasks=lambda: [broken]), models=models)
    async with asyncio.timeout(5), serving(app):
        known, unknown = app.server.models
        assert known.state is State.READY
        assert unknown.state is State.FAILED
        assert "Task 'broken' could not examine them; the server's log says why." in str(unknown.problem)
    assert f"{kind.__name__}: cannot look" in caplog.text


@pytest.mark.parametrize("kind", [ZeroDivisionError, SystemExit])
async def test_an_engine_that_cannot_be_started_fails_its_model_and_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ovms_core.app.local_runners", lambda settings: raising(kind("no process")))
    app = app_with(scripted_plugin, models=[scripted_model()])
    async with asyncio.timeout(5), serving(app):
        (model,) = app.server.models
        assert (model.state, model.problem) == (State.FAILED, lifecycle._UNEXPECTED)
    assert f"{kind.__name__}: no process" in caplog.text


async def test_only_the_event_loop_changes_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Local(Slow):
        def fetch(self, name: str, into: Path, *, offline: bool, progress: FetchProgress) -> None:
            progress(25, 100)
            (into / "script.json").touch()

    writers = set()

    def note_the_thread(model: Model, name: str, value: object) -> None:
        writers.add(threading.current_thread())
        object.__setattr__(model, name, value)

    monkeypatch.setattr(Model, "__setattr__", note_the_thread)
    model = ModelSettings(name="m", source="slow:m")
    app = app_with(scripted_plugin, from_source(Local()), models=[model], model_repository=str(tmp_path))
    async with serving(app):
        assert next(iter(app.server.models)).state is State.READY
    assert writers == {threading.current_thread()}


async def test_a_model_whose_task_nobody_has_fails_with_the_reason() -> None:
    app = app_with(models=[scripted_model()])
    async with serving(app):
        assert "task 'scripted' is unknown" in str(next(iter(app.server.models)).problem)


async def test_every_state_of_a_model_is_told_the_deaths_of_its_engine_included() -> None:
    app = app_with(scripted_plugin, models=[scripted_model()])
    told: list[ModelEvent] = []
    app.server.models.subscribe(told.append)
    async with serving(app):
        os.kill(worker_pid(app), signal.SIGKILL)
        await until(lambda: [event.status.state for event in told].count(State.READY) == 2)
    assert {event.change for event in told} == {Change.CHANGED}
    states = [state for state, _ in itertools.groupby(event.status.state for event in told)]
    assert states == [State.LOADING, State.READY, State.LOADING, State.READY, State.UNLOADED]
    assert "the engine died (signal 9)" in {event.status.problem for event in told}


async def test_a_model_that_is_added_later_is_brought_up() -> None:
    app = app_with(scripted_plugin)
    async with connected(app) as client:
        model = app.server.lifecycle.add(scripted_model("later", aliases=["other"]))
        assert model.state is State.QUEUED
        with pytest.raises(NameTakenError, match=r"'later'.*'another'.*'other'"):
            app.server.lifecycle.add(scripted_model("another", aliases=["other"]))
        await app.server.lifecycle.settled()
        assert (await client.post("/v3/script", json={"model": "other"})).status_code == 200
        wrong = app.server.lifecycle.add(scripted_model("wrong", slotz=3))
        await app.server.lifecycle.settled()
        assert "'models.wrong.options.slotz' is not a setting. Did you mean 'slots'?" in str(wrong.problem)


async def said_slowly(client: Client, app: Application) -> asyncio.Task[httpx.Response]:
    """A stream of 40 words, once the engine has it."""
    under_way = asyncio.create_task(client.say("/v1/script", count=40, seconds=0.005, stream=True))
    await until(lambda: supervisor_of(app).load().in_flight == 1)
    return under_way


async def test_a_model_that_is_removed_ends_when_its_last_request_has_ended() -> None:
    app = app_with(scripted_plugin, models=[scripted_model()])
    async with serving(app) as url, Client(url) as client:
        (model,) = app.server.models
        pid = worker_pid(app)
        under_way = await said_slowly(client, app)
        removing = asyncio.create_task(app.server.lifecycle.remove("scripted"))
        await until(lambda: not len(app.server.models))
        assert (await client.say("/v1/script", model="scripted")).status_code == 404
        assert not removing.done()
        assert words(await under_way) == counted(40)
        await removing
        assert model.state is State.UNLOADED
        assert not psutil.pid_exists(pid)


async def test_a_server_that_stops_does_not_wait_for_the_users_of_a_removed_model() -> None:
    app = app_with(scripted_plugin, models=[scripted_model()])
    async with asyncio.timeout(5), app.lifespan():
        await app.server.lifecycle.settled()
        (model,) = app.server.models
        pid = worker_pid(app)
        model.hold()
        removing = asyncio.create_task(app.server.lifecycle.remove("scripted"))
        await asyncio.sleep(0)
    await removing
    assert not psutil.pid_exists(pid)


async def test_a_model_that_is_gone_before_it_began_is_waited_for_by_nobody() -> None:
    app = app_with(scripted_plugin, models=[scripted_model()])
    async with asyncio.timeout(5), app.lifespan():
        settling = asyncio.create_task(app.server.lifecycle.settled())
    await settling


async def test_requests_under_way_on_a_replaced_model_go_on_to_their_end() -> None:
    app = app_with(scripted_plugin, models=[scripted_model()])
    async with serving(app) as url, Client(url) as client:
        (old,) = app.server.models
        pid = worker_pid(app)
        under_way = await said_slowly(client, app)
        app.server.models.replace("scripted", FakeEngine("scripted", [Word(0, "new")]).model())
        assert (await client.say("/v1/script", model="scripted")).json() == {"text": "new"}
        assert words(await under_way) == counted(40)
        await until(lambda: old.state is State.UNLOADED)
        await until(lambda: not psutil.pid_exists(pid))


async def test_a_model_that_is_removed_while_it_loads_gives_the_next_its_turn() -> None:
    app = app_with(scripted_plugin, models=[scripted_model("a", load_seconds=3600), scripted_model("b")])
    async with serving(app, settled=False):
        await until(lambda: app.server.models.find("a").state is State.LOADING)
        async with asyncio.timeout(5):
            await app.server.lifecycle.remove("a")
            await app.server.lifecycle.settled()
        assert [(model.name, model.state) for model in app.server.models] == [("b", State.READY)]


async def test_a_model_that_is_removed_while_it_is_fetched_is_not_fetched_on(tmp_path: Path) -> None:
    source = Slow()
    model = ModelSettings(name="m", source="slow:m")
    app = app_with(scripted_plugin, from_source(source), models=[model], model_repository=str(tmp_path))
    async with serving(app, settled=False):
        await asyncio.to_thread(source.started.wait)
        await app.server.lifecycle.remove("m")
        assert await asyncio.to_thread(source.stopped.wait, 5)


async def test_an_application_that_has_run_can_run_again() -> None:
    app = app_with(scripted_plugin, models=[scripted_model(), FakeEngine("fake")])
    for _ in range(2):
        async with connected(app) as client:
            assert (await client.post("/v3/script", json={})).status_code == 200
            assert [model.state for model in app.server.models] == [State.READY, State.READY]


def test_options_are_checked_before_anything_loads() -> None:
    with pytest.raises(ConfigurationError, match=r"models\[0\]\.options\.slotz.*slots"):
        app_with(scripted_plugin, models=[scripted_model(slotz=3)])
